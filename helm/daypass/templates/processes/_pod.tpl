{{/* What every pod of ours has: (dict "root" . "component" NAME "settings" VALUES). */}}
{{- define "daypass.podTerms" -}}
serviceAccountName: daypass-{{ .component }}
automountServiceAccountToken: true
enableServiceLinks: false
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 0 }}
{{- end }}
{{- with .settings.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.tolerations }}
tolerations: {{- toYaml . | nindent 0 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "daypass.containerTerms" -}}
image: {{ include "daypass.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources: {{- toYaml .settings.resources | nindent 2 }}
{{- end }}

{{/* Replicas apart from each other, where there is room for that. */}}
{{- define "daypass.spread" -}}
topologySpreadConstraints:
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "daypass.selector" (list $.root $.component) | nindent 6 }}
{{- end }}
{{- end }}

{{- define "daypass.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: health}
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /healthz, port: health}
  periodSeconds: 10
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: health}
  periodSeconds: 5
{{- end }}

{{/* The pod of setup, for its Job and its CronJob. */}}
{{- define "daypass.setupPod" -}}
metadata:
  labels:
    {{- include "daypass.labels" .root | nindent 4 }}
    app.kubernetes.io/component: setup
spec:
  {{- include "daypass.podTerms" . | nindent 2 }}
  restartPolicy: OnFailure
  containers:
  - name: setup
    {{- include "daypass.containerTerms" . | nindent 4 }}
    args:
    - setup
    - --namespace={{ .root.Release.Namespace }}
    - --service-name=daypass-webhook
    volumeMounts:
    - {name: tmp, mountPath: /tmp}
  volumes:
  - {name: tmp, emptyDir: {medium: Memory, sizeLimit: 16Mi}}
{{- end }}
