"""Arrays: distances, moments, and what is wrong with some."""

import json
import pickle
import resource
from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest

import pyfgd


@pytest.fixture
def random():
    return numpy.random.default_rng(1)


def test_frechet_distance_is_the_formula(random):
    a, b = random.normal(size=(200, 6)), random.normal(loc=0.3, size=(300, 6))
    sigma1, sigma2 = numpy.cov(a, rowvar=False), numpy.cov(b, rowvar=False)
    roots = numpy.sqrt(numpy.linalg.eigvals(sigma1 @ sigma2).real).sum()
    wanted = ((a.mean(0) - b.mean(0)) ** 2).sum() + numpy.trace(sigma1) + numpy.trace(sigma2) - 2 * roots
    assert pyfgd.frechet_distance(a.mean(0), sigma1, b.mean(0), sigma2) == pytest.approx(wanted, rel=1e-10)


def test_moments_of_parts_are_those_of_the_whole(random):
    rows = random.normal(size=(5000, 8))
    whole, parts = pyfgd.Moments(8), pyfgd.Moments(8)
    whole.update(rows)
    for part in numpy.array_split(rows, 7):
        one = pyfgd.Moments(8)
        one.update(part)
        parts.merge(one)
    assert (whole.n, whole.dim) == (5000, 8)
    numpy.testing.assert_allclose(parts.mean, rows.mean(0), atol=1e-12)
    numpy.testing.assert_allclose(parts.covariance(), numpy.cov(rows, rowvar=False), rtol=1e-10)


def test_moments_are_the_commands_to_the_bit(random, place, command):
    rows = random.normal(size=(9000, 300)).astype(numpy.float32)
    numpy.save(place / "rows.npy", rows)
    command("moments", place / "rows.npy", "-o", place / "moments.npz")
    moments = pyfgd.Moments(300)
    moments.update(rows)
    told = numpy.load(place / "moments.npz")
    assert (told["mu"] == moments.mean).all() and (told["sigma"] == moments.covariance()).all() and told["n"] == 9000


def test_a_stream_gives_the_same_bits_however_it_is_cut(random):
    rows = random.normal(size=(10_000, 7)).astype(numpy.float32)
    whole = pyfgd.Moments(7)
    whole.update(rows)
    for batch in (32, 1000, 4096):
        parts = pyfgd.Moments(7)
        for at in range(0, len(rows), batch):
            parts.update(rows[at : at + batch])
        assert parts.to_bytes() == whole.to_bytes()
    # A type of its own begins anew.
    parts.update(rows.astype(numpy.float64))
    parts.merge(parts)
    assert parts.n == 40_000
    numpy.testing.assert_allclose(parts.covariance(0), whole.covariance(0), rtol=1e-12)


def test_moments_are_pickled_to_the_bit_and_refuse_other_bytes(random):
    moments = pyfgd.Moments(5)
    moments.update(random.normal(size=(100, 5)))
    again = pickle.loads(pickle.dumps(moments))
    assert again.to_bytes() == moments.to_bytes() and (again.covariance() == moments.covariance()).all()
    for data in (b"", b"nothing", moments.to_bytes()[:-8], moments.to_bytes() + bytes(8)):
        with pytest.raises(pyfgd.UsageError, match="no moments"):
            pyfgd.Moments.from_bytes(data)


def test_arrays_are_looked_at_where_they_lie(random):
    rows = random.normal(size=(400_000, 64)).astype(numpy.float32)
    strided = rows[::2, 1:33]
    moments = pyfgd.Moments(32)
    moments.update(strided)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(5):
        moments.update(strided)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert moments.n == 1_200_000 and grown < strided.nbytes / 4


def test_what_is_wrong_with_arrays_is_said(random):
    good = random.normal(size=(10, 4))
    broken = good.copy()
    broken[3, 2] = numpy.nan
    for distance, name in ((pyfgd.set_distance, "b"), (pyfgd.paired_distance, "references")):
        with pytest.raises(pyfgd.UsageError, match=rf"^{name}\[3, 2\] is nan"):
            distance(good, broken)
    with pytest.raises(pyfgd.UsageError, match=r"^rows\[3, 2\] is nan"):
        pyfgd.Moments(4).update(broken)
    with pytest.raises(pyfgd.UsageError, match=r"^mu2\[1\] is inf"):
        pyfgd.frechet_distance([0.0, 0.0], numpy.eye(2), [0.0, numpy.inf], numpy.eye(2))
    with pytest.raises(pyfgd.UsageError, match="^mu1: an array of numbers"):
        pyfgd.frechet_distance(["a"], numpy.eye(1), [0.0], numpy.eye(1))
    with pytest.raises(pyfgd.UsageError, match="2 dimensions"):
        pyfgd.set_distance(good[0], good)
    with pytest.raises(pyfgd.UsageError):
        pyfgd.set_distance(good, good[:, :3])
    with pytest.raises(pyfgd.UsageError):
        pyfgd.set_distance(good[:1], good)
    with pytest.raises(pyfgd.UsageError, match="belongs to candidate"):
        pyfgd.paired_distance(good, good, image_of=[-1] * 10)
    with pytest.raises(pyfgd.UsageError):
        pyfgd.frechet_distance([0.0, 0.0], numpy.eye(3), [0.0, 0.0], numpy.eye(2))
    moments = pyfgd.Moments(4)
    with pytest.raises(pyfgd.UsageError):
        moments.update(good[:, :3])
    assert moments.n == 0


def test_one_image_has_a_distance_and_no_interval():
    found = pyfgd.paired_distance([[1.0, 0.0]], [[0.0, 1.0]])
    assert (found.value, found.se, found.ci95, float(found)) == (2.0, None, None, 2.0)


def test_embeddings_are_the_commands_to_the_bit(captions, encoder, place, command):
    texts = ["a dog runs", "two people at a table", "a dog runs", "ein Hund läuft"]
    (place / "texts.jsonl").write_text("".join(json.dumps({"caption": text}) + "\n" for text in texts))
    command("embed", place / "texts.jsonl", "--encoder", encoder, "-o", place / "texts.npy")
    model = pyfgd.Encoder(encoder)
    rows = model.encode(texts)
    assert rows.dtype == numpy.float32 and (rows == numpy.load(place / "texts.npy")).all()
    assert (model.encode(texts[0]) == rows[0]).all() and model.encode([]).shape == (0, model.dim)
    out = numpy.empty_like(rows)
    assert model.encode(texts, out=out) is out and (out == rows).all()
    with pytest.raises(pyfgd.UsageError, match="shape"):
        model.encode(texts, out=numpy.empty((1, model.dim), numpy.float32))
    assert model.info.dim == model.get_sentence_embedding_dimension() == rows.shape[1]


def test_arrays_that_say_less_than_they_seem_are_refused():
    masked = numpy.ma.masked_greater(numpy.full((4, 3), 2.0), 1.0)
    for use in (pyfgd.Moments(3).update, lambda rows: pyfgd.set_distance(rows, rows), lambda rows: pyfgd.paired_distance(rows, rows)):
        with pytest.raises(pyfgd.UsageError, match="masked"):
            use(masked)
    moments = pyfgd.Moments(3)
    for wrong in (numpy.full((1, 3), numpy.nan), [1.0, 2.0, 3.0], [["a", "b", "c"]], numpy.ones((2, 3), complex)):
        with pytest.raises(pyfgd.UsageError):
            moments.update(wrong)
    for rows in ([[1, 2, 3], [4, 5, 7]], numpy.ones((2, 3), numpy.float16), numpy.ones((2, 3), ">f8")):
        moments.update(rows)
    assert moments.n == 6
    for dim in (1_000_000, 2**31):
        with pytest.raises(pyfgd.UsageError, match="at most"):
            pyfgd.Moments(dim)


def test_doubles_stay_doubles(random):
    a, b = (1e5 + 1e-3 * random.normal(size=(500, 8)) for _ in range(2))
    mean, covariance = [side.mean(0) for side in (a, b)], [numpy.cov(side, rowvar=False) for side in (a, b)]
    wanted = pyfgd.frechet_distance(mean[0], covariance[0], mean[1], covariance[1])
    assert pyfgd.set_distance(a, b) == pytest.approx(wanted, rel=1e-3)


def test_threads_gather_into_one(random):
    rows = random.normal(size=(20_000, 16)).astype(numpy.float32)
    moments = pyfgd.Moments(16)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(moments.update, [rows] * 3))
        assert moments.n == 60_000
