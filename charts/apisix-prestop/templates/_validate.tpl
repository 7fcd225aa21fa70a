{{/*
Refuses values that the API server would accept and that would not work: those that contradict each other, and times
out of the range of the webhook or of cert-manager. values.schema.json refuses the rest.
*/}}
{{- define "apisix-prestop.validate" -}}
{{- with include "apisix-prestop.problems" . | trim }}
{{- fail (printf "the values do not fit together:\n%s" .) }}
{{- end }}
{{- end }}

{{/* One line for each problem. */}}
{{- define "apisix-prestop.problems" -}}
{{- include "apisix-prestop.timeProblems" . }}
{{- include "apisix-prestop.measureProblems" . }}
{{- include "apisix-prestop.tlsProblems" . }}
{{- include "apisix-prestop.podProblems" . }}
{{- include "apisix-prestop.labelProblems" . }}
{{- include "apisix-prestop.webhookProblems" . }}
{{- include "apisix-prestop.engineProblems" . }}
{{- end }}

{{- define "apisix-prestop.timeProblems" -}}
{{- $injection := .Values.injection }}
{{- $shutdown := .Values.shutdown }}
{{- $selfManaged := .Values.tls.selfManaged }}
{{- $certManager := .Values.tls.certManager }}
{{- $autoDelay := .Values.measure.autoDelay }}
{{- /* Value, its time, the shortest and the longest. */}}
{{- range list
  (list "injection.delay" $injection.delay "0s" "1h")
  (list "injection.maxDelay" $injection.maxDelay "0s" "1h")
  (list "injection.shutdownReserve" $injection.shutdownReserve "0s" "1h")
  (list "measure.autoDelay.min" $autoDelay.min "0s" "1h")
  (list "measure.autoDelay.max" $autoDelay.max "0s" "1h")
  (list "measure.autoDelay.window" $autoDelay.window "10m" "7d")
  (list "shutdown.drainDelay" $shutdown.drainDelay "0s" "5m")
  (list "shutdown.drainTimeout" $shutdown.drainTimeout "0s" "5m")
  (list "tls.selfManaged.caLifetime" $selfManaged.caLifetime "1s" "36500d")
  (list "tls.selfManaged.certificateLifetime" $selfManaged.certificateLifetime "1s" "36500d")
  (list "tls.selfManaged.caPropagation" $selfManaged.caPropagation "1s" "36500d")
  (list "tls.certManager.duration" $certManager.duration "1h" "36500d")
  (list "tls.certManager.renewBefore" $certManager.renewBefore "5m" "36500d")
  (list "serviceMonitor.interval" .Values.serviceMonitor.interval "1s" "1d")
  (list "podMonitor.interval" .Values.podMonitor.interval "1s" "1d")
}}
{{- $seconds := include "apisix-prestop.seconds" (index . 1) | int64 }}
{{- $shortest := include "apisix-prestop.seconds" (index . 2) | int64 }}
{{- $longest := include "apisix-prestop.seconds" (index . 3) | int64 }}
{{- if lt $seconds $shortest }}
{{ index . 0 }}: {{ include "apisix-prestop.duration" (index . 1) }} is less than {{ index . 2 }}
{{- else if gt $seconds $longest }}
{{ index . 0 }}: {{ include "apisix-prestop.duration" (index . 1) }} is more than {{ index . 3 }}
{{- end }}
{{- end }}
{{- if gt (include "apisix-prestop.seconds" $injection.delay | int64) (include "apisix-prestop.seconds" $injection.maxDelay | int64) }}
injection.delay: {{ include "apisix-prestop.duration" $injection.delay }} is more than injection.maxDelay, {{ include "apisix-prestop.duration" $injection.maxDelay }}
{{- end }}
{{- /* Value, its time, and those of the value that has to be longer. */}}
{{- range list
  (list "tls.selfManaged.certificateLifetime" $selfManaged.certificateLifetime "tls.selfManaged.caLifetime" $selfManaged.caLifetime)
  (list "tls.certManager.renewBefore" $certManager.renewBefore "tls.certManager.duration" $certManager.duration)
}}
{{- if ge (include "apisix-prestop.seconds" (index . 1) | int64) (include "apisix-prestop.seconds" (index . 3) | int64) }}
{{ index . 0 }}: {{ include "apisix-prestop.duration" (index . 1) }} is not less than {{ index . 2 }}, {{ include "apisix-prestop.duration" (index . 3) }}
{{- end }}
{{- end }}
{{- $drain := add (include "apisix-prestop.seconds" $shutdown.drainDelay) (include "apisix-prestop.seconds" $shutdown.drainTimeout) }}
{{- if le (int64 .Values.terminationGracePeriodSeconds) $drain }}
terminationGracePeriodSeconds: {{ int64 .Values.terminationGracePeriodSeconds }} is not more than shutdown.drainDelay and shutdown.drainTimeout together, {{ $drain }}
{{- end }}
{{- if ge (mul 3 (include "apisix-prestop.seconds" $selfManaged.caPropagation)) (include "apisix-prestop.seconds" $selfManaged.caLifetime | int64) }}
tls.selfManaged.caPropagation: {{ include "apisix-prestop.duration" $selfManaged.caPropagation }} is not less than a third of tls.selfManaged.caLifetime, {{ include "apisix-prestop.duration" $selfManaged.caLifetime }}
{{- end }}
{{- if and (not $certManager.issuerRef) (ge (include "apisix-prestop.seconds" $certManager.duration | int64) (include "apisix-prestop.seconds" (include "apisix-prestop.caDuration" .) | int64)) }}
tls.certManager.duration: {{ include "apisix-prestop.duration" $certManager.duration }} is not less than that of the CA of the release, {{ include "apisix-prestop.caDuration" . }}
{{- end }}
{{- end }}

{{- define "apisix-prestop.measureProblems" -}}
{{- $isAuto := eq (toString .Values.injection.delay) "auto" }}
{{- $maxDelay := .Values.injection.maxDelay }}
{{- with .Values.measure }}
{{- if .enabled }}
{{- if not $.Values.upstreams.enabled }}
measure.enabled requires upstreams.enabled: true
{{- end }}
{{- if eq $.Values.engine "policy" }}
measure.enabled requires engine: webhook or both
{{- end }}
{{- if not .gateway.namespace }}
measure.gateway.namespace is required: the namespace of the gateway Pods of APISIX
{{- end }}
{{- /* Value, its time, and those of the value that must not be shorter. */}}
{{- range list
  (list "measure.autoDelay.min" .autoDelay.min "measure.autoDelay.max" .autoDelay.max)
  (list "measure.autoDelay.max" .autoDelay.max "injection.maxDelay" $maxDelay)
}}
{{- if gt (include "apisix-prestop.seconds" (index . 1) | int64) (include "apisix-prestop.seconds" (index . 3) | int64) }}
{{ index . 0 }}: {{ include "apisix-prestop.duration" (index . 1) }} is more than {{ index . 2 }}, {{ include "apisix-prestop.duration" (index . 3) }}
{{- end }}
{{- end }}
{{- else if $isAuto }}
injection.delay: auto requires measure.enabled: true
{{- end }}
{{- end }}
{{- if and $isAuto (ne .Values.engine "webhook") }}
injection.delay: auto requires engine: webhook, because a policy has a fixed delay
{{- end }}
{{- end }}

{{- define "apisix-prestop.tlsProblems" -}}
{{- with .Values.tls }}
{{- if eq .mode "existingSecret" }}
{{- if not .existingSecret }}
tls.existingSecret is required: the name of a Secret of type kubernetes.io/tls in the release's namespace
{{- end }}
{{- $isInjected := include "apisix-prestop.caIsInjected" $ }}
{{- if not (or .caBundle $isInjected) }}
tls.caBundle is required: the CA that signed the certificate, as PEM text (--set-file tls.caBundle=ca.crt)
{{- else if and .caBundle $isInjected }}
tls.caBundle is not used with the annotation of cert-manager in webhook.annotations
{{- end }}
{{- else }}
{{- if include "apisix-prestop.caIsInjected" $ }}
webhook.annotations: that of cert-manager is for tls.mode: existingSecret, and with {{ .mode }} two would write the caBundle
{{- end }}
{{- if .existingSecret }}
tls.existingSecret: {{ .existingSecret }} is not used with tls.mode: {{ .mode }}, only with existingSecret
{{- end }}
{{- if .caBundle }}
tls.caBundle is not used with tls.mode: {{ .mode }}, only with existingSecret
{{- end }}
{{- end }}
{{- if and .certManager.issuerRef (ne .mode "certManager") }}
tls.certManager.issuerRef: {{ .certManager.issuerRef.name }} is not used with tls.mode: {{ .mode }}, only with certManager
{{- end }}
{{- if and .clientNames (not .clientCaConfigMap) }}
tls.clientNames requires tls.clientCaConfigMap: the name of a ConfigMap with the CA of the clients
{{- end }}
{{- end }}
{{- end }}

{{- define "apisix-prestop.podProblems" -}}
{{- $replicas := int64 .Values.replicaCount }}
{{- if .Values.autoscaling.enabled }}
{{- $replicas = int64 .Values.autoscaling.maxReplicas }}
{{- if gt (int64 .Values.autoscaling.minReplicas) $replicas }}
autoscaling.minReplicas: {{ int64 .Values.autoscaling.minReplicas }} is more than autoscaling.maxReplicas, {{ $replicas }}
{{- end }}
{{- if not ((.Values.resources).requests).cpu }}
autoscaling.enabled requires resources.requests.cpu: the utilization is in percent of it
{{- end }}
{{- end }}
{{- if and (include "apisix-prestop.needsQuota" .) (le (int64 .Values.criticalPodsQuota.pods) $replicas) }}
criticalPodsQuota.pods: {{ int64 .Values.criticalPodsQuota.pods }} is not more than the number of replicas, {{ $replicas }}: a rollout starts one more
{{- end }}
{{- if and .Values.rbac.create (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) (include "apisix-prestop.usesApiServer" .) }}
serviceAccount.name is required with serviceAccount.create: false: otherwise every Pod of the namespace that names no ServiceAccount would have the rights of the webhook
{{- end }}
{{- if .Values.hostNetwork }}
{{- if eq (int64 .Values.webhook.port) 10250 }}
webhook.port: 10250 is the port of the kubelet with hostNetwork: set another one, such as 8443
{{- end }}
{{- if .Values.networkPolicy.enabled }}
networkPolicy.enabled has no effect with hostNetwork: protect the ports of the nodes otherwise
{{- end }}
{{- end }}
{{- $flags := list }}
{{- range include "apisix-prestop.args" . | fromYamlArray }}
{{- $flags = append $flags (splitList "=" . | first) }}
{{- end }}
{{- range .Values.extraArgs }}
{{- if has (splitList "=" . | first) $flags }}
extraArgs: {{ splitList "=" . | first }} is already set by another value
{{- end }}
{{- end }}
{{- range .Values.extraEnv }}
{{- $flag := .name | trimPrefix "APISIX_PRESTOP_" | lower | replace "_" "-" | printf "--%s" }}
{{- if and (hasPrefix "APISIX_PRESTOP_" .name) (has $flag $flags) }}
extraEnv: {{ .name }} has no effect, because the chart sets {{ $flag }}
{{- end }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled }}
serviceMonitor.enabled and podMonitor.enabled: Prometheus would count everything twice
{{- end }}
{{- end }}

{{- define "apisix-prestop.labelProblems" -}}
{{- $own := include "apisix-prestop.ownLabels" . | fromYaml }}
{{- range $value, $labels := dict
  "commonLabels" .Values.commonLabels
  "podLabels" .Values.podLabels
  "serviceMonitor.labels" .Values.serviceMonitor.labels
  "podMonitor.labels" .Values.podMonitor.labels
}}
{{- range $key, $_ := $labels }}
{{- if hasKey $own $key }}
{{ $value }}: {{ $key }} is a label that the chart sets
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "apisix-prestop.webhookProblems" -}}
{{- $fullname := include "apisix-prestop.fullname" . }}
{{- if not (regexMatch "^[A-Za-z]" $fullname) }}
{{ $fullname }}: the name of a Service begins with a letter: set fullnameOverride
{{- end }}
{{- if eq (int64 .Values.service.port) (int64 .Values.service.adminPort) }}
service.port and service.adminPort are both {{ int64 .Values.service.port }}
{{- end }}
{{- if eq (int64 .Values.webhook.port) (int64 .Values.webhook.adminPort) }}
webhook.port and webhook.adminPort are both {{ int64 .Values.webhook.port }}
{{- end }}
{{- if and (eq .Values.injection.hook "sleep") (semverCompare "<1.30-0" .Capabilities.KubeVersion.Version) }}
injection.hook: sleep requires Kubernetes 1.30, and this is {{ .Capabilities.KubeVersion.Version }}
{{- end }}
{{- if and (not .Values.upstreams.enabled) (ne .Values.injection.targets "all") }}
injection.targets: {{ .Values.injection.targets }} requires upstreams.enabled: true
{{- end }}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.apiServers) }}
networkPolicy.apiServers is required: the address ranges of the API servers, such as [10.0.0.0/28]
{{- end }}
{{- if hasKey ((.Values.webhook.namespaceSelector).matchLabels | default dict) "apisix-prestop/inject" }}
webhook.namespaceSelector.matchLabels: apisix-prestop/inject is a label that the chart sets
{{- end }}
{{- with .Values.webhook.matchConditions }}
{{- if not (include "apisix-prestop.hasMatchConditions" $) }}
webhook.matchConditions requires Kubernetes 1.28, and this is {{ $.Capabilities.KubeVersion.Version }}
{{- end }}
{{- $names := list "restarts" "is-not-static" }}
{{- range . }}
{{- if has .name $names }}
webhook.matchConditions: the name {{ .name }} occurs twice
{{- end }}
{{- $names = append $names .name }}
{{- end }}
{{- end }}
{{- end }}

{{/* What only the webhook can do. */}}
{{- define "apisix-prestop.engineProblems" -}}
{{- $engine := .Values.engine }}
{{- if ne $engine "webhook" }}
{{- if semverCompare "<1.36-0" .Capabilities.KubeVersion.Version }}
engine: {{ $engine }} requires Kubernetes 1.36, and this is {{ .Capabilities.KubeVersion.Version }}
{{- end }}
{{- if eq .Values.injection.hook "exec" }}
engine: {{ $engine }} requires injection.hook: auto or sleep
{{- end }}
{{- if ne .Values.injection.targets "all" }}
engine: {{ $engine }} requires injection.targets: all
{{- end }}
{{- if ne .Values.mode "enforce" }}
engine: {{ $engine }} requires mode: enforce
{{- end }}
{{- end }}
{{- end }}
