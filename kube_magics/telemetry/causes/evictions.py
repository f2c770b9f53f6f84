"""Why a pod had to leave its node: each of the cluster's ways to say it, as a sentence and what to type next."""

from __future__ import annotations

AGAIN = "run the cell again"
_ELSEWHERE = "keep large files on a --volume CLAIM:/path, or ask your administrator for more room"
_BY_WORDS = (
    (
        ("EmptyDir", "exceeds"),
        "It filled one of its pod's volumes beyond the volume's limit.",
        "a larger --shm, if it is /dev/shm",
    ),
    (("exceed", "ephemeral"), "It wrote more to its node's disk than a pod may here.", _ELSEWHERE),
    (("ephemeral-storage",), "Its node ran out of disk, and had to throw pods out.", _ELSEWHERE),
    (
        ("resource: memory",),
        "Its node ran out of memory, and threw out the pods that used more than they had reserved.",
        "--memory SIZE reserves what the job needs; then run the cell again",
    ),
)
"""Of pods that the kubelet threw out: words of its message, what it means, what to do."""
_BY_REASON = {
    "PreemptionByScheduler": (
        "The pod had to make room for one of a higher priority.",
        "run the cell again: it waits until there is room",
    ),
    "DeletionByTaintManager": ("Its node stopped answering, or may run no pods any more.", AGAIN),
    "DeletionByPodGC": ("Its node is gone.", AGAIN),
    "EvictionByEvictionAPI": ("The pod was asked to leave its node, as when a node is drained.", AGAIN),
    "TerminationByKubelet": ("Its node ended the pod, as when it is shut down.", AGAIN),
}
"""By the reason of the condition DisruptionTarget."""


def eviction(said: str) -> tuple[str, str]:
    """Of a pod that the kubelet threw out with these words: the sentence, and what to type next."""
    for words, sentence, fix in _BY_WORDS:
        if all(word in said for word in words):
            return sentence, fix
    return "The node threw the pod out to save itself.", AGAIN


def disruption(reason: str) -> tuple[str, str]:
    """Of a pod whose condition DisruptionTarget has this reason."""
    return _BY_REASON.get(reason, ("The pod was taken off its node.", AGAIN))
