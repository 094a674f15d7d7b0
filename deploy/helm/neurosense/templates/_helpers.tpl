{{/* The names, labels and settings that several files share. */}}

{{- define "neurosense.image" -}}
{{- $registry := trimSuffix "/" .root.Values.images.registry -}}
{{ if $registry }}{{ $registry }}/{{ end }}neurosense-{{ .part }}:{{ .root.Values.images.tag | default .root.Chart.AppVersion }}
{{- end }}

{{- define "neurosense.name" -}}
{{ printf "%s-%s" (.root.Release.Name | trunc 50 | trimSuffix "-") .part }}
{{- end }}

{{/* What finds a part's pods; it may never change. */}}
{{- define "neurosense.selector" -}}
app.kubernetes.io/name: neurosense
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "neurosense.labels" -}}
{{ include "neurosense.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* The head of every pod: no rights, and replicas of a part on different nodes and zones. */}}
{{- define "neurosense.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user }}
  runAsGroup: {{ .user }}
  fsGroup: {{ .user }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "neurosense.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}

{{- define "neurosense.container-rights" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "neurosense.triton-grpc-url" -}}
{{- if .Values.triton.enabled -}}
{{ include "neurosense.name" (dict "root" . "part" "triton") }}:8001
{{- else -}}
{{ required "api.tritonGrpcUrl: host:port of the Triton to ask, as triton.enabled is false" .Values.api.tritonGrpcUrl }}
{{- end -}}
{{- end }}

{{/* The key of Triton's administration, for Triton and for the pod that swaps its versions. */}}
{{- define "neurosense.control-key" -}}
- name: control-key
  secret:
    secretName: {{ .Values.secret }}
    defaultMode: 0440
    items: [{key: triton_control_key, path: triton_control_key}]
{{- end }}
