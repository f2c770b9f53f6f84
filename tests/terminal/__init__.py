"""The command kube-magics: its streams, its exit codes, how soon it answers."""
