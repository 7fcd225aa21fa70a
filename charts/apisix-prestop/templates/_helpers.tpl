{{- define "apisix-prestop.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Name of the objects. A release may have dots in its name, a Service may not. */}}
{{- define "apisix-prestop.fullname" -}}
{{- $fullname := .Values.fullnameOverride }}
{{- if not $fullname }}
{{- $name := include "apisix-prestop.name" . }}
{{- $fullname = contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- end }}
{{- $fullname | replace "." "-" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "apisix-prestop.selectorLabels" -}}
app.kubernetes.io/name: {{ include "apisix-prestop.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* The labels that no value changes. */}}
{{- define "apisix-prestop.ownLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "apisix-prestop.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "apisix-prestop.labels" -}}
{{ include "apisix-prestop.ownLabels" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "apisix-prestop.image" -}}
{{- with (.Values.global).imageRegistry | default .Values.image.registry }}{{ . }}/{{ end }}
{{- .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- with .Values.image.digest }}@{{ . }}{{ end }}
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
{{- .Values.tls.existingSecret }}
{{- else if eq .Values.tls.mode "certManager" }}
{{- /* Differs from the Secret of selfManaged: during an upgrade between the modes, both are in use. */}}
{{- include "apisix-prestop.fullname" . }}-cert-manager-tls
{{- else }}
{{- include "apisix-prestop.fullname" . }}-tls
{{- end }}
{{- end }}

{{/* Name of the ConfigMap with the delay that follows what is measured. */}}
{{- define "apisix-prestop.delayConfigMap" -}}
{{- include "apisix-prestop.fullname" . }}-delay
{{- end }}

{{/* The labels of the gateway Pods, as a flag has them. */}}
{{- define "apisix-prestop.gatewaySelector" -}}
{{- $pairs := list }}
{{- range $key, $value := .Values.measure.gateway.matchLabels }}
{{- $pairs = append $pairs (printf "%s=%s" $key $value) }}
{{- end }}
{{- join "," $pairs }}
{{- end }}

{{/* Whether the cluster may require a ResourceQuota for the PriorityClass. */}}
{{- define "apisix-prestop.needsQuota" -}}
{{- if and .Values.criticalPodsQuota.enabled (hasPrefix "system-" (.Values.priorityClassName | default "")) (ne .Release.Namespace "kube-system") }}true{{ end }}
{{- end }}

{{/* Whether the annotations make cert-manager inject the caBundle. */}}
{{- define "apisix-prestop.caIsInjected" -}}
{{- range $key, $_ := .Values.webhook.annotations }}
{{- if hasPrefix "cert-manager.io/inject-" $key }}true{{ end }}
{{- end }}
{{- end }}

{{/* How long the CA of the release is valid with cert-manager. */}}
{{- define "apisix-prestop.caDuration" -}}
87600h
{{- end }}

{{/* Name of the webhook, by which the API server counts its calls: each release has its own. */}}
{{- define "apisix-prestop.webhookName" -}}
{{- $fullname := include "apisix-prestop.fullname" . }}
{{- eq $fullname "apisix-prestop" | ternary "inject" (printf "inject.%s" $fullname) }}.apisix-prestop.svc
{{- end }}

{{/* Which namespaces take part. */}}
{{- define "apisix-prestop.namespaceSelector" -}}
{{- with (.Values.webhook.namespaceSelector).matchLabels -}}
matchLabels:
  {{- toYaml . | nindent 2 }}
{{ end -}}
matchExpressions:
  - key: apisix-prestop/inject
    operator: In
    values: [enabled, "true"]
  {{- with .Values.webhook.excludedNamespaces }}
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values: {{ toJson . }}
  {{- end }}
  {{- with (.Values.webhook.namespaceSelector).matchExpressions }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Which Pods take part. */}}
{{- define "apisix-prestop.objectSelector" -}}
{{- with (.Values.webhook.objectSelector).matchLabels -}}
matchLabels:
  {{- toYaml . | nindent 2 }}
{{ end -}}
matchExpressions:
  - key: apisix-prestop/inject
    operator: NotIn
    values: [disabled, "false"]
  # The webhook does not review its own Pods: with failurePolicy Fail, the first could not start.
  - key: app.kubernetes.io/name
    operator: NotIn
    values: [{{ include "apisix-prestop.name" . | quote }}]
  {{- with (.Values.webhook.objectSelector).matchExpressions }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Whether the API server has matchConditions: beta and enabled in 1.28, GA in 1.30. */}}
{{- define "apisix-prestop.hasMatchConditions" -}}
{{- if semverCompare ">=1.28-0" .Capabilities.KubeVersion.Version }}true{{ end }}
{{- end }}

{{/*
A duration as the webhook reads it. Helm reads numbers as floats, and prints 1000000 as 1e+06.
*/}}
{{- define "apisix-prestop.duration" -}}
{{- kindIs "string" . | ternary . (int64 .) }}
{{- end }}

{{/*
A duration as a number of seconds. cert-manager and Prometheus require a unit, and cert-manager does not know days.
*/}}
{{- define "apisix-prestop.seconds" -}}
{{- $units := dict "d" 86400 "h" 3600 "m" 60 "s" 1 "" 1 }}
{{- $seconds := 0 }}
{{- range regexFindAll "[0-9]+[dhms]?" (include "apisix-prestop.duration" .) -1 }}
{{- $seconds = add $seconds (mul (regexFind "[0-9]+" . | atoi) (get $units (regexFind "[dhms]" .))) }}
{{- end }}
{{- $seconds }}
{{- end }}
