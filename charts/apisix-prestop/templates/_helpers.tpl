{{- define "apisix-prestop.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "apisix-prestop.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "apisix-prestop.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "apisix-prestop.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "apisix-prestop.selectorLabels" -}}
app.kubernetes.io/name: {{ include "apisix-prestop.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "apisix-prestop.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "apisix-prestop.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "apisix-prestop.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "apisix-prestop.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* Whether the webhook calls the API server. If not, it needs neither a role nor a token. */}}
{{- define "apisix-prestop.usesApiServer" -}}
{{- if or (eq .Values.tls.mode "selfManaged") (eq .Values.injection.hook "auto") .Values.events.enabled .Values.upstreams.enabled }}true{{ end }}
{{- end }}

{{/* Name of the Secret with the certificate. */}}
{{- define "apisix-prestop.tlsSecret" -}}
{{- if eq .Values.tls.mode "existingSecret" }}
{{- required "tls.existingSecret is required: the name of a Secret of type kubernetes.io/tls in the release's namespace" .Values.tls.existingSecret }}
{{- else if eq .Values.tls.mode "certManager" }}
{{- /* Differs from the Secret of selfManaged: during an upgrade between the modes, both are in use. */}}
{{- include "apisix-prestop.fullname" . }}-cert-manager-tls
{{- else }}
{{- include "apisix-prestop.fullname" . }}-tls
{{- end }}
{{- end }}

{{/* Whether the cluster may require a ResourceQuota for the PriorityClass. */}}
{{- define "apisix-prestop.needsQuota" -}}
{{- if and .Values.criticalPodsQuota.enabled (hasPrefix "system-" .Values.priorityClassName) (ne .Release.Namespace "kube-system") }}true{{ end }}
{{- end }}

{{/* Whether the annotations make cert-manager inject the caBundle. */}}
{{- define "apisix-prestop.caIsInjected" -}}
{{- range $key, $_ := .Values.webhook.annotations }}
{{- if hasPrefix "cert-manager.io/inject-" $key }}true{{ end }}
{{- end }}
{{- end }}

{{/*
A duration as the webhook reads it. Helm reads numbers as floats, and prints 1000000 as 1e+06.
*/}}
{{- define "apisix-prestop.duration" -}}
{{- kindIs "string" . | ternary . (int64 .) }}
{{- end }}

{{/*
A duration in seconds, as cert-manager and Prometheus read it: they require a unit, and cert-manager does not know days.
*/}}
{{- define "apisix-prestop.seconds" -}}
{{- $units := dict "d" 86400 "h" 3600 "m" 60 "s" 1 "" 1 }}
{{- $seconds := 0 }}
{{- range regexFindAll "[0-9]+[dhms]?" (include "apisix-prestop.duration" .) -1 }}
{{- $seconds = add $seconds (mul (regexFind "[0-9]+" . | atoi) (get $units (regexFind "[dhms]" .))) }}
{{- end }}
{{- printf "%ds" $seconds }}
{{- end }}
