from kube_magics_runner.program import run

run(globals())
