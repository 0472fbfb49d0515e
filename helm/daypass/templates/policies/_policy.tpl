{{/*
The API server's own policies, enforced with every process of ours dead. All of them fail closed: an expression that
errs refuses the call. A reason of Forbidden keeps the message readable ("invalid: :" otherwise).
*/}}

{{/* Binding that puts a policy in force everywhere: (list . NAME). */}}
{{- define "daypass.policyBinding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ index . 1 }}
  labels: {{- include "daypass.labels" (index . 0) | nindent 4 }}
spec:
  policyName: {{ index . 1 }}
  validationActions: [Deny]
{{- end }}

{{- define "daypass.controllerUsername" -}}
{{ include "daypass.username" (list . "daypass-controller") | toJson }}
{{- end }}

{{- define "daypass.webhookUsername" -}}
{{ include "daypass.username" (list . "daypass-webhook") | toJson }}
{{- end }}

{{/* The two that run all the time; setup never touches requests. */}}
{{- define "daypass.ownUsernames" -}}
[{{ include "daypass.controllerUsername" . }}, {{ include "daypass.webhookUsername" . }}]
{{- end }}

{{/* Kubernetes' own controllers that finish deletions: exact names, as ServiceAccounts and as one process. */}}
{{- define "daypass.garbageCollectors" -}}
["system:serviceaccount:kube-system:generic-garbage-collector", "system:kube-controller-manager"]
{{- end }}
{{- define "daypass.jobControllers" -}}
["system:serviceaccount:kube-system:job-controller", "system:serviceaccount:kube-system:ttl-after-finished-controller", "system:serviceaccount:kube-system:generic-garbage-collector", "system:serviceaccount:kube-system:namespace-controller", "system:kube-controller-manager"]
{{- end }}

{{/* Those that make pods and workloads only as their owners say: as in daypass.domain.authors. */}}
{{- define "daypass.workloadControllers" -}}
["system:serviceaccount:kube-system:cronjob-controller", "system:serviceaccount:kube-system:daemon-set-controller", "system:serviceaccount:kube-system:deployment-controller", "system:serviceaccount:kube-system:job-controller", "system:serviceaccount:kube-system:replicaset-controller", "system:serviceaccount:kube-system:replication-controller", "system:serviceaccount:kube-system:statefulset-controller", "system:kube-controller-manager"]
{{- end }}

{{/* Whether `webhook`, an entry of a webhook configuration, is served where the chart was installed to serve it. */}}
{{- define "daypass.ownAddress" -}}
{{- if .Values.outOfCluster.enabled -}}
!has(webhook.clientConfig.service) && has(webhook.clientConfig.url) &&
webhook.clientConfig.url.startsWith({{ printf "%s/" .Values.outOfCluster.webhookURL | toJson }})
{{- else -}}
!has(webhook.clientConfig.url) && has(webhook.clientConfig.service) &&
webhook.clientConfig.service.name == 'daypass-webhook' &&
webhook.clientConfig.service.namespace == {{ .Release.Namespace | toJson }} &&
has(webhook.clientConfig.service.port) && webhook.clientConfig.service.port == 443
{{- end -}}
{{- end }}

{{/* A CEL list of the namespaces that no gate ever covers: the cluster, and Daypass itself, must run behind none. */}}
{{- define "daypass.ungatedNamespaces" -}}
{{ include "daypass.celList" (list "kube-system" .Release.Namespace | uniq) }}
{{- end }}

{{/* A namespaceSelector of all others. */}}
{{- define "daypass.gatedNamespaces" -}}
matchExpressions:
- {key: kubernetes.io/metadata.name, operator: NotIn, values: {{ include "daypass.ungatedNamespaces" . }}}
{{- end }}
