"""Lines of JSON on stdin to Weights & Biases: first how the run is called, then its events, then nothing when it failed or {"end": 0}."""
import json
import sys

try:
    import wandb
except ImportError as error:
    sys.exit(f"{error}; pip install wandb")

begin = json.loads(sys.stdin.readline())
run = wandb.init(
    project=begin["project"], name=begin["name"], id=begin["id"], config=begin["config"], dir=begin["dir"], resume="allow"
)
run.define_metric("train/global_step")
run.define_metric("*", step_metric="train/global_step", step_sync=True)
code = 1
for line in sys.stdin:
    event = json.loads(line)
    if "end" in event:
        code = event["end"]
    else:
        run.log(event)
run.finish(exit_code=code)
