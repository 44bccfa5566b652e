"""Threads, processes, forks and interrupts."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy
import pytest

import pyfgd

TEXTS = [f"{count} {animal} {place}" for count in ("one", "two", "three") for animal in ("dogs", "cats", "horses", "birds")
         for place in ("on a beach", "in the snow", "at home", "under a tree")]
PAIRS = [(text, [text.replace("on", "near"), f"a picture of {text}"]) for text in TEXTS]


def gather(encoder, part):
    fgd = pyfgd.FGD(encoder)
    pairs = [(at, pair) for at, pair in enumerate(PAIRS)][part::4]
    for at, (prediction, references) in pairs:
        fgd.update([prediction], [references], [at])
    # A sampler fills the last batch with what was there before.
    fgd.update([PAIRS[0][0]], [PAIRS[0][1]], [0])
    return fgd


def work(encoder, part, queue):
    queue.put(pickle.dumps(gather(encoder, part)) if part % 2 else gather(encoder, part).to_bytes())


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_four_processes_merge_to_the_bit(encoder, method):
    alone = pyfgd.FGD(encoder)
    alone.update([prediction for prediction, _ in PAIRS], [references for _, references in PAIRS], range(len(PAIRS)))
    wanted = alone.compute().results
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    ranks = [context.Process(target=work, args=(encoder, part, queue)) for part in range(4)]
    for rank in ranks:
        rank.start()
    states = [queue.get(timeout=120) for _ in ranks]
    for rank in ranks:
        rank.join()
        assert rank.exitcode == 0
    merged = pyfgd.FGD(encoder)
    merged.merge_state(state if state[:1] == b"{" else pickle.loads(state) for state in states)
    assert merged.compute().results == wanted
    assert pyfgd.FGD.from_bytes(merged.to_bytes(), encoder).compute().results == wanted


def test_captions_without_ids_do_not_depend_on_their_order(encoder):
    forth, back = pyfgd.FGD(encoder, metrics=["cider"]), pyfgd.FGD(encoder, metrics=["cider"])
    forth.update(*map(list, zip(*PAIRS)))
    for prediction, references in reversed(PAIRS):
        back.update(prediction, [references])
    assert forth.compute().results == back.compute().results
    forth.reset()
    with pytest.raises(pyfgd.UsageError, match="nothing was gathered"):
        forth.compute()


def test_what_cannot_be_gathered_is_said(encoder):
    fgd = pyfgd.FGD(encoder)
    with pytest.raises(pyfgd.UsageError, match="2 predictions, 1 references"):
        fgd.update(["a", "b"], ["c"])
    with pytest.raises(pyfgd.UsageError, match="row 0, id 7"):
        fgd.update(["a"], [[]], [7])
    for nothing in (None, float("nan"), [None], " "):
        with pytest.raises(pyfgd.UsageError, match="row 0: a text"):
            fgd.update(["a"], [nothing])
        with pytest.raises(pyfgd.UsageError, match="row 0: a text"):
            fgd.update([nothing], ["a"])
    for missing in (None, float("nan"), numpy.float32("nan")):
        with pytest.raises(pyfgd.UsageError, match="row 1: the id is missing"):
            fgd.update(["a", "b"], ["c", "d"], [0, missing])
    with pytest.raises(pyfgd.UsageError, match="half of a character"):
        fgd.update(["a \ud83d"], ["c"])
    assert len(fgd) == 0
    fgd.update(["a dog"], ["a cat"], [1])
    with pytest.raises(pyfgd.UsageError, match="no gathered captions"):
        fgd.merge_state(b"nothing")
    fgd.update(["a bird"], ["a cat"], [1])
    with pytest.raises(pyfgd.UsageError, match="id 1 comes twice"):
        fgd.compute()


def test_threads_share_an_encoder_and_leave_the_gil(encoder):
    model = pyfgd.Encoder(encoder, cache=False)
    wanted = model.encode(TEXTS)
    found = [None] * 6

    def encode(at):
        found[at] = model.encode(TEXTS[at:] + TEXTS[:at])

    threads = [threading.Thread(target=encode, args=(at,)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for at, rows in enumerate(found):
        assert (rows == numpy.roll(wanted, -at, axis=0)).all()


def test_an_encoder_works_in_a_forked_child(encoder):
    model = pyfgd.Encoder(encoder)
    wanted = model.encode(TEXTS)
    child = os.fork()
    if child == 0:
        os._exit(0 if (model.encode([*TEXTS, "something new"])[:-1] == wanted).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


INTERRUPTED = """
    import os, signal, sys, threading, time
    import numpy, pyfgd
    model = pyfgd.Encoder(sys.argv[1], cache=False)
    model.encode(["a dog"])
    texts = [f"{at} dogs and {at * 7919} cats on a beach" for at in range(400_000)]
    rows = numpy.random.default_rng(0).normal(size=(400_000, 256)).astype(numpy.float32)
    def moments():
        while True:
            pyfgd.Moments(256).update(rows)
    def encode():
        model.encode(texts)
    def score():
        while True:
            pyfgd.score(rows[:30_000], rows[30_000:60_000], metrics=["mmd"])
    for job in (encode, moments, score):
        sent = []
        def interrupt():
            time.sleep(0.7)
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=interrupt).start()
        try:
            job()
        except KeyboardInterrupt:
            print(job.__name__, time.monotonic() - sent[0])
    # What comes after an interrupt works.
    assert model.encode(["a dog"]).shape[0] == 1
    print("after")
    sys.stdout.flush()
    os._exit(0)
"""


def test_control_c_ends_jobs(encoder):
    script = textwrap.dedent(INTERRUPTED)
    done = subprocess.run([sys.executable, "-c", script, encoder], capture_output=True, text=True, timeout=300)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == ["encode", "moments", "score", "after"], done.stderr


LEFT_ALONE = """
    import os, pathlib, signal, sys, threading, time
    import numpy, pyfgd
    def at_work():
        return [task for task in pathlib.Path("/proc/self/task").iterdir() if (task / "comm").read_text().strip() == "pyfgd"]
    mean, root = numpy.zeros(3000), numpy.random.default_rng(0).normal(size=(3000, 3000))
    wide = root[:2500].astype(numpy.float32)
    covariance = root @ root.T
    jobs = {
        "frechet": lambda: pyfgd.frechet_distance(mean, covariance, mean, covariance),
        "set": lambda: pyfgd.set_distance(wide, wide[::-1]),
    }
    def interrupt():
        while not at_work():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=interrupt).start()
    try:
        jobs[sys.argv[1]]()
    except KeyboardInterrupt:
        # The call has ended before the work, which cannot be stopped here.
        print(len(at_work()))
    sys.stdout.flush()
    os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are looked for in /proc")
@pytest.mark.parametrize("job", ["frechet", "set"])
def test_control_c_does_not_wait_for_distances(job):
    command = [sys.executable, "-c", textwrap.dedent(LEFT_ALONE), job]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "1", done.stderr


def test_an_interrupted_update_adds_nothing():
    moments, rows = pyfgd.Moments(256), numpy.ones((400_000, 256), numpy.float32)
    moments.update(rows[:5000])
    threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        while True:
            before = moments.n
            moments.update(rows)
    assert moments.n in (before, before + len(rows))


def test_control_c_ends_the_command(place, encoder):
    with (place / "many.jsonl").open("w") as file:
        file.writelines(f'{{"caption": "{at} dogs and {at * 7919} cats on a beach"}}\n' for at in range(400_000))
    command = [sys.executable, "-P", "-m", "pyfgd", "embed", place / "many.jsonl", "--encoder", encoder, "--no-cache", "-o", "x.npy"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == -signal.SIGINT


def test_importing_is_light():
    script = "import sys, pyfgd; print([name for name in ('torch', 'pandas', 'tqdm', 'transformers', 'socket', 'requests') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
