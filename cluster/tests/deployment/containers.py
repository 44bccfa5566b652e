"""Runs what the start-up files say, in containers of namespaces: a network, a host name and a root for each process, no engine.

    unshare --user --map-root-user --net --mount --uts --pid --fork --kill-child python3 containers.py KIND PLACE

KIND is `compose`, `kubernetes` or `systemd`. PLACE has `bin` (fgd and fgd-cluster), `buckets`, `models/tiny` and `cluster.pem`. The
command lines, variables and mounts are those of the files; what is a reader's to fill in (addresses, the encoder, where the buckets
lie) is filled in here. The record goes to PLACE/record.json.
"""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

import yaml

kind, place = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
deploy = pathlib.Path(__file__).resolve().parents[2] / "deploy"
ENCODER = "/models/tiny"


def sh(*command):
    subprocess.run([str(part) for part in command], check=True)


class Image:
    """What deploy/Containerfile says of every process."""

    lines = (deploy / "Containerfile").read_text().splitlines()
    words = {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in lines if " " in line}
    environment = dict(word.split("=", 1) for word in shlex.split(words["ENV"]))
    entrypoint = json.loads(words["ENTRYPOINT"])


class Container:
    """A process with a network, a name and a root of its own. `mounts` are paths inside by paths outside."""

    count = 0

    def __init__(self, name, mounts):
        Container.count += 1
        self.name, self.ip = name, f"10.7.0.{Container.count}"
        self.root = place / "roots" / name
        sh("ip", "netns", "add", name)
        sh("ip", "link", "add", f"v{Container.count}", "type", "veth", "peer", "name", "eth0", "netns", name)
        sh("ip", "link", "set", f"v{Container.count}", "master", "bridge", "up")
        sh("ip", "-n", name, "address", "add", f"{self.ip}/24", "dev", "eth0")
        for link in ["lo", "eth0"]:
            sh("ip", "-n", name, "link", "set", link, "up")
        system = ["/usr", "/bin", "/lib", "/lib64", "/etc", "/dev", "/proc"]
        for inside, outside in [*((path, path) for path in system if os.path.exists(path)), *mounts.items()]:
            target = self.root / inside.lstrip("/")
            if os.path.isdir(outside):
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch()
            sh("mount", "--rbind", outside, target)
        for path in ["tmp", "cache", "data"]:
            (self.root / path).mkdir(exist_ok=True)

    def start(self, command, environment, **options):
        """Starts a command; `$(POD_IP)` and the like are left to the caller."""
        enter = 'hostname "$1" && mount --bind "$2" "$3/etc/hosts" && shift 2 && exec chroot "$@"'
        within = ["ip", "netns", "exec", self.name, "unshare", "--uts", "--mount", "sh", "-c", enter, "sh"]
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **Image.environment, **environment}
        command = [*within, self.name, place / "hosts", self.root, *command]
        return subprocess.Popen([str(part) for part in command], env=env, **options)


def compose():
    """Services with their commands, as `docker compose` reads them."""
    given = {"DATA": "data", "MODELS": "models", "KEY": "cluster.pem", "ENCODER": "tiny"}

    def fill(match):
        name, sign, default = match.groups()
        if sign == "?" and name not in given:
            sys.exit(f"compose.yaml asks for {name}")
        return given.get(name, default or "")

    text = re.sub(r"\$\{(\w+):([-?])([^}]*)\}", fill, (deploy / "compose.yaml").read_text())
    services = yaml.safe_load(text)["services"]
    secret = {"/run/secrets/key": place / "cluster.pem"}
    for name, service in services.items():
        volumes = [volume.split(":") for volume in service["volumes"]]
        mounts = {inside: place / outside for outside, inside, *_ in volumes}
        command = [*service.get("entrypoint", Image.entrypoint), *service["command"]]
        command = [word.replace("$$", "$") for word in command]
        for copy in range(service.get("deploy", {}).get("replicas", 1)):
            yield f"{name}{copy or ''}", command, service["environment"], {**mounts, **secret}


def kubernetes():
    """Pods with the commands of their containers; of the executors two."""
    documents = []
    for file in ["cluster.yaml", "score.yaml"]:
        documents += yaml.safe_load_all((deploy / "kubernetes" / file).read_text())
    volumes = {"key": place / "secret", "models": place / "models", "work": None}
    for document in documents:
        if document["kind"] not in ["Deployment", "Job"]:
            continue
        pod = document["spec"]["template"]
        role = pod["metadata"]["labels"]["role"]
        [container] = pod["spec"]["containers"]
        assert {volume["name"] for volume in pod["spec"]["volumes"]} <= volumes.keys()
        environment = {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}
        command = [*Image.entrypoint, *container["args"]]
        given = {"s3://BUCKET/buckets": "/data/buckets", "/models/gte-small": ENCODER}
        command = [re.sub("|".join(given), lambda found: given[found[0]], word) for word in command]
        # The Service's name is that of the scheduler.
        names = {"scheduler": ["fgd-scheduler"], "executor": ["executor", "executor1"]}.get(role, [role])
        for name in names:
            work = place / f"work-{name}"
            work.mkdir()
            mounts = {at["mountPath"]: volumes[at["name"]] or work for at in container["volumeMounts"]}
            yield name, command, environment, {"/data": place / "data", **mounts}


def systemd():
    """Units with their ExecStart, and a score as cluster/README.md has it."""
    given = {"FGD_SCHEDULER": "scheduler:50050", "FGD_ENCODER": ENCODER, "FGD_BIND": "$(POD_IP)"}
    for role in ["scheduler", "executor", "score"]:
        environment = dict(given)
        lines = ["ExecStart=/usr/local/bin/fgd-cluster score /data/buckets", "Environment=FGD_KEY=%d/cluster.pem"]
        if role != "score":
            unit = deploy / "systemd" / f"fgd-{role}.service"
            lines = unit.read_text().splitlines()
        settings = [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]
        state = f"/var/lib/{dict(settings).get('StateDirectory', 'none')}"
        environment["STATE_DIRECTORY"] = state
        for name, value in settings:
            if name == "Environment":
                variable, value = value.split("=", 1)
                environment[variable] = value.replace("%d", "/run/credentials")
        command = dict(settings)["ExecStart"].replace("${STATE_DIRECTORY}", state).split()
        work = place / f"state-{role}"
        work.mkdir()
        mounts = {"/run/credentials": place / "secret", "/data": place / "data", "/models": place / "models", state: work}
        yield role, command, environment, mounts


def verify():
    """What systemd itself says of its files, with the program where they say that it is."""
    units = sorted((deploy / "systemd").iterdir())
    mounts = {"/usr/local/bin": place / "bin", "/run/units": deploy / "systemd"}
    verify = Container("verify", mounts)
    command = ["systemd-analyze", "verify", "--man=no", *(f"/run/units/{unit.name}" for unit in units)]
    process = verify.start(command, {}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said, _ = process.communicate()
    of_units = [line for line in said.splitlines() if "fgd-" in line]
    if of_units:
        sys.exit("\n".join(of_units))


os.makedirs(place / "secret")
os.link(place / "cluster.pem", place / "secret" / "cluster.pem")
os.makedirs(place / "data")
os.rename(place / "buckets", place / "data" / "buckets")
sh("mount", "--make-rprivate", "/")
sh("mount", "-t", "tmpfs", "none", "/run")
os.makedirs("/run/netns")
sh("ip", "link", "add", "bridge", "type", "bridge")
sh("ip", "link", "set", "bridge", "up")

(place / "hosts").touch()
processes = {}
for name, command, environment, mounts in {"compose": compose, "kubernetes": kubernetes, "systemd": systemd}[kind]():
    container = Container(name, {"/usr/local/bin": place / "bin", **mounts})
    with open(place / "hosts", "a") as hosts:
        print(container.ip, name, file=hosts)
    own = lambda word: word.replace("$(POD_IP)", container.ip)
    environment = {variable: own(str(value or "")) for variable, value in environment.items()}
    processes[name] = (container, [own(word) for word in command], environment)
if kind == "systemd" and subprocess.run(["which", "systemd-analyze"], stdout=subprocess.DEVNULL).returncode == 0:
    verify()

scheduler = next(name for name in processes if "scheduler" in name)
running = {}
for name, (container, command, environment) in processes.items():
    if name != "score":
        log = open(place / f"{name}.log", "w")
        running[name] = container.start(command, environment, stdout=log, stderr=log)


def ask(word, **options):
    container, _, environment = processes["score"]
    key = next(path for path in ["/run/secrets/key", "/key/cluster.pem", "/run/credentials/cluster.pem"]
               if (container.root / path.lstrip("/")).exists())
    command = ["fgd-cluster", word, "--scheduler", f"{scheduler}:50050", "--key", key]
    process = container.start(command, environment, stdout=subprocess.PIPE, text=True, **options)
    return process.communicate()[0]


executors = len(running) - 1
start = time.monotonic()
while not ask("status", stderr=subprocess.DEVNULL).startswith(f"{executors} executors"):
    ended = [name for name, process in running.items() if process.poll() is not None]
    if ended or time.monotonic() - start > 60:
        logs = "".join((place / f"{name}.log").read_text() for name in running)
        sys.exit(f"{ended or 'not all'} of {', '.join(running)} came up: {logs}")
    time.sleep(0.1)
container, command, environment = processes["score"]
with open(place / "record.json", "w") as record:
    code = container.start(command, environment, stdout=record).wait()
if code:
    sys.exit(f"{command} ended with {code}")
# Where the record is a file of its own.
if (place / "data" / "record.json").exists():
    os.replace(place / "data" / "record.json", place / "record.json")
ask("stop")
print({name: process.wait(timeout=60) for name, process in running.items()})
