{{/* Names and words that several templates share. Fixed names are part of the contract: one Daypass a cluster. */}}

{{- define "daypass.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: daypass
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: daypass
{{- end }}

{{/* Selector of one process: (list . "controller"). */}}
{{- define "daypass.selector" -}}
app.kubernetes.io/name: daypass
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* The username of one of our ServiceAccounts: (list . "daypass-controller"). */}}
{{- define "daypass.username" -}}
system:serviceaccount:{{ (index . 0).Release.Namespace }}:{{ index . 1 }}
{{- end }}

{{/* A CEL list of strings: a list of plain words. JSON strings are CEL strings. */}}
{{- define "daypass.celList" -}}
[{{ range $index, $word := . }}{{ if $index }}, {{ end }}{{ $word | toJson }}{{ end }}]
{{- end }}

{{/* Namespaces in which nothing is granted: the values' and our own. */}}
{{- define "daypass.neverNamespaces" -}}
{{ include "daypass.celList" (append .Values.neverGrantedNamespaces .Release.Namespace | uniq) }}
{{- end }}

{{- define "daypass.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* Reading the kinds of which pods are made, one object at a time: rules of a ClusterRole. */}}
{{- define "daypass.readWorkloads" -}}
- apiGroups: [apps]
  resources: [deployments, replicasets, statefulsets, daemonsets]
  verbs: [get]
- apiGroups: [batch]
  resources: [jobs, cronjobs]
  verbs: [get]
- apiGroups: [""]
  resources: [replicationcontrollers]
  verbs: [get]
{{- end }}
