{{/*
Where the API server calls us: (list . KIND NAME-OF-CONFIGURATION). `daypass setup` owns path (or url) and caBundle and
fills them in; until then every call fails closed. With a URL, which is one field, an upgrade keeps what setup wrote.
*/}}
{{- define "daypass.clientConfig" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.outOfCluster.enabled -}}
{{- $base := printf "%s/" $root.Values.outOfCluster.webhookURL -}}
{{- $url := printf "%snot-set-up-yet" $base -}}
{{- $found := lookup "admissionregistration.k8s.io/v1" (index . 1) "" (index . 2) -}}
{{- range (get ($found | default dict) "webhooks") | default list -}}
{{- $stored := get .clientConfig "url" | default "" -}}
{{- if hasPrefix $base $stored }}{{ $url = $stored }}{{ end -}}
{{- end -}}
url: {{ $url | quote }}
{{- else -}}
service: {name: daypass-webhook, namespace: {{ $root.Release.Namespace }}, port: 443}
{{- end -}}
{{- end }}

{{/* What both webhooks share. The controller works, and ends grants, with every webhook dead; the webhook's own calls
(requests that it makes, uses that it notes) don't come back to it. The API server's policies bound both. The garbage
collector can't change a spec and must be able to finish deletions. */}}
{{- define "daypass.webhookTerms" -}}
failurePolicy: Fail
matchPolicy: Equivalent
sideEffects: None
admissionReviewVersions: [v1]
timeoutSeconds: {{ .Values.webhook.timeoutSeconds }}
matchConditions:
- name: not-daypass-itself
  expression: >-
    !(request.userInfo.username in {{ include "daypass.ownUsernames" . }})
- name: not-the-garbage-collector
  expression: >-
    !(request.userInfo.username in {{ include "daypass.celList" (list "system:serviceaccount:kube-system:generic-garbage-collector" "system:kube-controller-manager") }})
{{- end }}
