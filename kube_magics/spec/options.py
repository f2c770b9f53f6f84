"""The option table. From it come the line's parser and help, the keywords of the Python API, `%kube config`, the
`KUBE_MAGICS_…` variables, `c.KubeMagics…`, completion, and docs/options.md.

An option is added here, once; `spec.job.JobSpec` has a field of its name.
"""

from __future__ import annotations

from collections.abc import Mapping

from kube_magics.spec import environment, marks, names, quantities, readers, volumes
from kube_magics.spec.option import Option

GPU_RESOURCE = "nvidia.com/gpu"

_RESOURCES = (
    Option("gpus", "GPUs of the job.", readers.count, "N", default=0, unit="devices", example="--gpus 2", also="num-gpus nproc-per-node nproc gpus-per-node accelerators"),
    Option("gpu-resource", "What the cluster calls its GPUs.", readers.resource, "NAME", default=GPU_RESOURCE, unit="a resource of a node", example="--gpu-resource amd.com/gpu", complete="nvidia.com/gpu amd.com/gpu gpu.intel.com/i915 gpu.intel.com/xe", also="gpu-type"),
    Option("cpus", "CPU cores to reserve (default: 500m, a half).", quantities.cpus, "CORES", unit="cores: 2, 0.5, 500m", example="--cpus 4", also="cpu num-cpus cpus-per-task"),
    Option("memory", "Memory, reserved and the limit (default: 1Gi reserved, no limit).", quantities.memory, "SIZE", unit="bytes: 512Mi, 16Gi", example="--memory 16Gi", also="mem ram limits requests"),
    Option("shm", "In-memory /dev/shm, with a limit or none (on by itself with GPUs or torch).", readers.shm, "[SIZE]", bare="", unit="bytes: 512Mi, 16Gi", example="--shm 8Gi", also="shm-size"),
    Option("timeout", "Stop the job after this time on its node (with --retries: in one attempt).", quantities.seconds, "TIME", unit="time: 90s, 45m, 2h, 1d", example="--timeout 2h", also="active-deadline-seconds deadline time max-time"),
    Option("grace", "Time to save its work for a job that is stopped: from TERM to KILL (default: 30s).", readers.grace, "TIME", unit="time: 30s, 5m", example="--grace 5m", also="grace-period termination-grace-period-seconds"),
    Option("retries", "Try again so often when the job fails: by an exception, a crash, a lost node; not after its --timeout or a stop.", readers.retries, "N", default=0, unit="attempts after the first", example="--retries 3", also="max-restarts backoff-limit restarts retry"),
    Option("ttl", "How long the cluster keeps the ended job and its log (default: 7d).", quantities.seconds, "TIME", unit="time: 12h, 7d", example="--ttl 1d", also="ttl-seconds-after-finished keep"),
)  # fmt: skip
_IMAGE = (
    Option("image", "Container image (default: python:X.Y-slim of the notebook's Python).", readers.text("team/torch:2.6"), "IMAGE", unit="as kubectl takes it", example="--image team/torch:2.6", complete="<images>", also="container docker-image"),
    Option("image-pull-secret", "A Secret of the namespace that lets the cluster pull the image (repeatable).", readers.each(readers.named("Secret")), "NAME", default=(), many=True, unit="names, commas between", example="--image-pull-secret registry", also="pull-secret image-pull-secrets"),
    Option("python", "Interpreter to start in the image (default: python3; on this machine: the notebook's own).", readers.text("/opt/conda/bin/python"), "PATH", unit="a path in the image", example="--python /opt/conda/bin/python", also="interpreter"),
    Option("pip", "What to install before the cell runs: auto (what it imports, the notebook has and the image lacks), none, or requirements.", readers.pip, "WHAT", default="auto", unit="auto, none, or requirements with blanks between", example='--pip "torch==2.6 tqdm"', complete="auto none", also="packages install"),
    Option("requirements", "Install what this requirements file lists.", readers.text("requirements.txt"), "FILE", short="-r", unit="a path here", example="--requirements requirements.txt", complete="<files>", also="requirement"),
    Option("cache", "Keep installed packages between jobs on this PersistentVolumeClaim.", names.claim, "CLAIM", unit="a claim's name", example="--cache packages", complete="<claims>"),
    Option("env", "A variable of the job's environment (repeatable).", environment.variables, "NAME=VALUE", default=(), many=True, same=lambda pair: pair[0], unit="one variable", example="--env NCCL_DEBUG=INFO", also="environment env-var"),
    Option("secret", "A Secret of the namespace as variables of the job's environment: all its keys, or one (repeatable).", environment.secrets, "NAME[:KEY=ENV]", default=(), many=True, same=lambda found: found.variable or (found.name,), unit="one Secret", example="--secret wandb:key=WANDB_API_KEY", also="secrets env-from from-secret"),
    Option("workdir", "Folder in which the job works, made if it is not there (default: one of its own).", readers.folder, "PATH", unit="an absolute path in the job", example="--workdir /data/run1", also="working-dir cwd chdir"),
    Option("run-as", "User of the job's processes: a user id, or image for the image's own (default: 1000; where the cluster assigns users, its choice).", readers.user, "UID|image", unit="a number, or image", example="--run-as 1001", complete="image", also="run-as-user user uid"),
    Option("read-only-root", "Read-only root file system, for sites whose policy asks for it.", None, default=False, example="--read-only-root", also="read-only read-only-root-filesystem"),
)  # fmt: skip
_DATA = (
    Option("returns", "Names that come back into the notebook when the job has ended (repeatable).", readers.returns, "A,B", default=(), many=True, unit="names, commas between", example="--returns model,score", complete="<cell>", settable=False, also="return outputs out"),
    Option("returns-files", "Files of the job's working folder that come back (repeatable).", readers.globs, "GLOB", default=(), many=True, unit="globs, commas between", example="--returns-files checkpoints/*.pt", also="return-files output-files"),
    Option("files", "Files, folders and globs that travel into the job's working folder (repeatable; .kubeignore is heeded).", readers.paths, "PATHS", default=(), many=True, unit="paths, commas between", example="--files data/*.csv,config.yaml", complete="<files>", also="file copy include"),
    Option("volume", "Mount a PersistentVolumeClaim (repeatable).", volumes.volumes, "CLAIM:/path[:ro]", default=(), many=True, same=lambda found: found.path, unit="one mount", example="--volume datasets:/data:ro", complete="<claims>", also="volumes mount pvc claim"),
    Option("artifacts", "Folder (any fsspec URL) for captures and results that are too large to travel with the job.", readers.url, "URL", unit="a URL, or an absolute path", example="--artifacts s3://bucket/folder", also="artifact store bucket storage"),
    Option("log-to", "Let the job keep its whole log in this file too (a folder: NAME.log in it), on a volume of --volume.", volumes.log_path, "PATH", unit="an absolute path in the job", example="--log-to /data/logs/", also="log log-file log-dir"),
    Option("capture", "Names that may travel although their values look like credentials.", readers.returns, "A,B", default=(), many=True, unit="names, commas between", example="--capture my_token", complete="<names>", settable=False),
)  # fmt: skip
_PLACE = (
    Option("backend", "Where to run: kubernetes, or local (processes on this machine).", readers.backend, "WHERE", unit="kubernetes or local", example="--backend local", complete="kubernetes local"),
    Option("context", "Context of the kubeconfig (default: its current one).", readers.text("lab"), "NAME", unit="a context's name", example="--context lab", complete="<contexts>", also="cluster kube-context"),
    Option("namespace", "Kubernetes namespace (default: the context's).", names.checked_namespace, "NAME", short="-n", unit="a namespace's name", example="--namespace team-a", complete="<namespaces>", also="ns"),
    Option("queue", "Kueue's local queue: sets its label on the job.", readers.named("queue"), "NAME", unit="a queue's name", example="--queue team-a", also="queue-name local-queue"),
    Option("priority", "Priority class of the job's pod.", readers.named("priority class"), "NAME", unit="a class' name", example="--priority high", also="priority-class priority-class-name"),
    Option("node-selector", "Run only on nodes with this label (repeatable).", marks.selectors, "KEY=VALUE", default=(), many=True, same=lambda pair: pair[0], unit="labels, commas between", example="--node-selector gpu=a100", also="selector node-selectors node"),
    Option("toleration", "Run also on nodes with this taint (repeatable); GPU taints are tolerated with --gpus.", marks.tolerations, "KEY[=VALUE][:EFFECT]", default=(), many=True, unit="one taint, as kubectl writes it", example="--toleration dedicated=team-a:NoSchedule", also="tolerations taint tolerate"),
    Option("service-account", "Account of the job's pod (for pulling images, or a cloud's rights; its token is not mounted).", readers.named("service account"), "NAME", unit="an account's name", example="--service-account trainer", also="serviceaccount sa service-account-name"),
    Option("labels", "Labels of the job and its pod (repeatable).", marks.labels, "KEY=VALUE", default=(), many=True, same=lambda pair: pair[0], unit="labels, commas between", example="--labels team=vision,project=digits", also="label tags"),
    Option("annotations", "An annotation of the job and its pod (repeatable).", marks.annotation, "KEY=VALUE", default=(), many=True, same=lambda pair: pair[0], unit="one annotation", example="--annotations team.example/ticket=42", also="annotation"),
    Option("cpu-ok", "On this machine: run without the GPUs that are asked for, if there are none.", None, default=False, example="--cpu-ok", also="allow-cpu no-gpu"),
)  # fmt: skip
_CELL = (
    Option("name", "Name of the job (default: made from the notebook's name).", names.checked_name, "NAME", unit="a-z, 0-9, -; at most 52", example="--name digits-svm", settable=False, also="job-name run-name"),
    Option("detach", "Do not wait: the cell's value is the Job, which is followed in the background.", None, default=False, example="--detach", also="background no-wait async bg"),
    Option("new", "Submit again, although a job of this very cell lives or has results that were not fetched.", None, default=False, example="--new", settable=False, also="force again no-cache"),
    Option("dry-run", "Print the exact manifests instead of submitting; fit for kubectl create -f -.", None, default=False, example="--dry-run", settable=False, also="print yaml"),
    Option("debug", "Show full tracebacks, and every request to the cluster (no secrets).", None, default=False, example="--debug", also="verbose trace"),
)  # fmt: skip

GROUPS: Mapping[str, tuple[Option, ...]] = {
    "Resources and time": _RESOURCES,
    "Image, packages, environment": _IMAGE,
    "Data, there and back": _DATA,
    "Where it runs": _PLACE,
    "The job and the cell": _CELL,
}
OPTIONS: tuple[Option, ...] = tuple(option for group in GROUPS.values() for option in group)

SETTABLE: tuple[Option, ...] = tuple(option for option in OPTIONS if option.settable)
"""Those that have defaults: see `spec.defaults`."""
BY_FIELD: Mapping[str, Option] = {option.field: option for option in OPTIONS}
PLACE = ("namespace", "context", "backend", "debug")
"""What every verb takes."""
