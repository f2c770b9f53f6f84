"""`%kube doctor`: its judgments as tables, its questions at real servers."""
