from kube_magics_runner.program import run  # type: ignore[import-not-found]  # the name it is shipped under

run(globals())
