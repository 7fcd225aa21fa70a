// Command pki writes the keys, certificates and kubeconfig files of a one-node cluster.
// Each start of the cluster creates new ones, so none of them is renewed.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// RBAC allows everything to the members of this group.
const masters = "system:masters"

func main() {
	dir := flag.String("dir", "", "folder to write into")
	node := flag.String("node", "", "name of the node")
	address := flag.String("address", "", "IP address of the node")
	service := flag.String("service", "", "IP address of the Service `kubernetes`")
	flag.Parse()
	if err := write(*dir, *node, net.ParseIP(*address), net.ParseIP(*service)); err != nil {
		fmt.Fprintln(os.Stderr, "pki:", err)
		os.Exit(1)
	}
}

func write(dir, node string, address, service net.IP) error {
	loopback := net.IPv4(127, 0, 0, 1)
	ca, err := writeAuthority(dir, "ca", "test cluster")
	if err != nil {
		return err
	}

	servers := map[string]*x509.Certificate{
		"apiserver": {
			DNSNames:    []string{"localhost", node, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
			IPAddresses: []net.IP{loopback, address, service},
		},
		"kubelet": {DNSNames: []string{node}, IPAddresses: []net.IP{address}},
	}
	for name, template := range servers {
		template.Subject = pkix.Name{CommonName: name}
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		if err := ca.writePair(dir, name, template); err != nil {
			return err
		}
	}

	if err := ca.writePair(dir, "apiserver-kubelet-client", client("kube-apiserver-kubelet-client", masters)); err != nil {
		return err
	}
	// The API server's built-in roles are bound to these names and groups.
	users := map[string]*x509.Certificate{
		"admin":              client("admin", masters),
		"controller-manager": client("system:kube-controller-manager"),
		"scheduler":          client("system:kube-scheduler"),
		"proxy":              client("system:kube-proxy"),
		"kubelet":            client("system:node:"+node, "system:nodes"),
	}
	for name, template := range users {
		if err := ca.writeKubeconfig(filepath.Join(dir, name+".kubeconfig"), template); err != nil {
			return err
		}
	}

	webhookClientCA, err := writeAuthority(dir, "webhook-client-ca", "webhook clients")
	if err != nil {
		return err
	}
	if err := webhookClientCA.writeCredentials(filepath.Join(dir, "webhooks.kubeconfig"), client("kube-apiserver")); err != nil {
		return err
	}

	return writeSigningKey(filepath.Join(dir, "service-account"))
}

func client(name string, groups ...string) *x509.Certificate {
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: name, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// writeAuthority creates a CA and writes its certificate. It does not write the key, since nothing is signed later.
func writeAuthority(dir, name, commonName string) (*authority, error) {
	ca, err := newAuthority(commonName)
	if err != nil {
		return nil, err
	}
	return ca, writePEM(filepath.Join(dir, name+".crt"), "CERTIFICATE", ca.certificate.Raw)
}

func newAuthority(commonName string) (*authority, error) {
	key, _, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: commonName},
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	setValidity(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &authority{certificate, key}, err
}

// issue completes the template and returns certificate and key, both in DER.
func (a *authority) issue(template *x509.Certificate) (certificate, keyDER []byte, err error) {
	key, keyDER, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	setValidity(template)
	certificate, err = x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	return certificate, keyDER, err
}

func (a *authority) writePair(dir, name string, template *x509.Certificate) error {
	certificate, key, err := a.issue(template)
	if err != nil {
		return err
	}
	if err := writePEM(filepath.Join(dir, name+".crt"), "CERTIFICATE", certificate); err != nil {
		return err
	}
	return writePEM(filepath.Join(dir, name+".key"), "PRIVATE KEY", key)
}

type object = map[string]any

// All clients run in the API server's network namespace.
func (a *authority) writeKubeconfig(path string, template *x509.Certificate) error {
	user, err := a.user(template.Subject.CommonName, template)
	if err != nil {
		return err
	}
	return writeConfig(path, object{
		"clusters": []object{{"name": "test", "cluster": object{
			"server":                     "https://127.0.0.1:6443",
			"certificate-authority-data": encodePEM("CERTIFICATE", a.certificate.Raw),
		}}},
		"users":           []object{user},
		"contexts":        []object{{"name": "test", "context": object{"cluster": "test", "user": user["name"]}}},
		"current-context": "test",
	})
}

// writeCredentials writes the client certificate that the API server presents to webhooks. In this file, the name of
// a user is the name of the server that the certificate is for.
func (a *authority) writeCredentials(path string, template *x509.Certificate) error {
	user, err := a.user("*", template)
	if err != nil {
		return err
	}
	return writeConfig(path, object{"users": []object{user}})
}

func (a *authority) user(name string, template *x509.Certificate) (object, error) {
	certificate, key, err := a.issue(template)
	return object{"name": name, "user": object{
		"client-certificate-data": encodePEM("CERTIFICATE", certificate),
		"client-key-data":         encodePEM("PRIVATE KEY", key),
	}}, err
}

// A kubeconfig is YAML, and JSON is YAML.
func writeConfig(path string, config object) error {
	config["apiVersion"], config["kind"] = "v1", "Config"
	content, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// writeSigningKey writes the key pair that signs and verifies ServiceAccount tokens.
func writeSigningKey(path string) error {
	key, private, err := newKey()
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writePEM(path+".pub", "PUBLIC KEY", public); err != nil {
		return err
	}
	return writePEM(path+".key", "PRIVATE KEY", private)
}

func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return key, der, err
}

func setValidity(template *x509.Certificate) {
	// An hour back, in case the clock is corrected while the cluster runs.
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().AddDate(1, 0, 0)
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, encodePEM(kind, der), 0o600)
}
