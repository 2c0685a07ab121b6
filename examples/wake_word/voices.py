"""Voices by a formula: words, voices that say them, and rooms in which they are heard.

A formant synthesizer. A voice is a pulse train and noise; each sound of a language is a target for
four resonances of the vocal tract and for the loudness of voice, breath and hiss. Tracks of these
targets are smoothed, and filter the sources, 250 times a second. Everything follows from seeds. No
recording is used: what is learnt from this says how the parts work together, not how well a network
understands people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RATE = 16000
FRAME, HOP = 256, 64  # of the filters
BINS = np.fft.rfftfreq(FRAME, 1 / RATE)
WAKE_WORD = "hey byteprop"


@dataclass(frozen=True)
class Sound:
    """A target. formants: in Hz, of a man. voice, breath, hiss: loudness of the sources; the hiss
    is noise in a band, of a centre and a width."""

    formants: tuple[float, float, float]
    seconds: float
    voice: float = 0.0
    breath: float = 0.0
    hiss: float = 0.0
    band: tuple[float, float] = (4000.0, 1000.0)


def _vowel(f1: float, f2: float, f3: float, seconds: float = 0.09, voice: float = 1.0) -> Sound:
    return Sound((f1, f2, f3), seconds, voice, breath=0.02)


VOWELS = {
    "iy": _vowel(280, 2250, 2950), "ih": _vowel(400, 1950, 2550), "eh": _vowel(540, 1800, 2480),
    "ae": _vowel(670, 1700, 2420), "aa": _vowel(740, 1120, 2450), "ao": _vowel(570, 860, 2410),
    "uh": _vowel(440, 1030, 2240), "uw": _vowel(310, 880, 2230), "ah": _vowel(630, 1200, 2390),
    "er": _vowel(480, 1330, 1680),
}  # fmt: skip
OTHERS = {
    "r": _vowel(320, 1080, 1420, 0.05, 0.6), "l": _vowel(360, 1080, 2750, 0.06, 0.6),
    "w": _vowel(300, 640, 2150, 0.05, 0.6), "y": _vowel(270, 2150, 2980, 0.05, 0.6),
    "m": _vowel(250, 1050, 2200, 0.07, 0.25), "n": _vowel(260, 1500, 2450, 0.06, 0.25),
    "h": Sound((560, 1800, 2500), 0.06, 0.0, 0.5),
    "s": Sound((320, 1600, 2500), 0.10, hiss=0.35, band=(5800, 1500)),
    "sh": Sound((320, 1800, 2500), 0.10, hiss=0.4, band=(3400, 1200)),
    "f": Sound((330, 1100, 2200), 0.09, hiss=0.12, band=(4500, 3500)),
    "z": Sound((300, 1600, 2500), 0.07, 0.3, hiss=0.2, band=(5800, 1500)),
    "v": Sound((300, 1100, 2200), 0.05, 0.35, hiss=0.05, band=(4500, 3500)),
}  # fmt: skip
# A stop is silence, with some voice if it is voiced, and a burst, with breath if it is not.
STOPS = {
    "p": (0.0, 0.35, (900, 700)), "t": (0.0, 0.45, (4600, 1600)), "k": (0.0, 0.45, (2000, 700)),
    "b": (0.12, 0.3, (800, 600)), "d": (0.12, 0.35, (4000, 1500)), "g": (0.12, 0.35, (1900, 700)),
}  # fmt: skip
PLACES = {"p": (350, 900, 2200), "t": (350, 1750, 2600), "k": (350, 1900, 2300)}
PLACES |= {"b": PLACES["p"], "d": PLACES["t"], "g": PLACES["k"]}
DIPHTHONGS = {"ay": ("aa", "ih"), "ey": ("eh", "iy"), "ow": ("ao", "uw"), "aw": ("aa", "uw")}
WORDS = {
    WAKE_WORD: "h ey b ay t p r aa p",
    "byteprop": "b ay t p r aa p", "hey": "h ey", "hey bob": "h ey b aa b",
    "hey bright shop": "h ey b r ay t sh aa p", "a bite to eat": "ah b ay t t uw iy t",
    "prop": "p r aa p", "hey bike drop": "h ey b ay k d r aa p", "hey paper": "h ey p ey p er",
    "light stop": "l ay t s t aa p", "play it back": "p l ey ih t b ae k", "hello": "h eh l ow",
    "night shop": "n ay t sh aa p", "my daydream": "m ay d ey d r iy m", "yes": "y eh s",
    "no": "n ow", "turn it up": "t er n ih t ah p", "seven": "s eh v ah n",
    "they buy crops": "z ey b ay k r aa p s", "hey mike": "h ey m ay k",
}  # fmt: skip


@dataclass(frozen=True)
class Voice:
    """How a person speaks. size: of the vocal tract, 1 for a man; tilt: octaves per octave by which
    the voice falls; accent: a factor per sound and resonance."""

    pitch: float
    size: float
    speed: float
    tilt: float
    breath: float
    sharpness: float
    melody: float
    accent: dict[str, Floats]


def voice(draw: np.random.Generator, *, unusual: bool = False) -> Voice:
    """unusual: outside of what others have: very low or high, slow or fast."""
    size = draw.uniform(0.74, 1.08) if not unusual else draw.choice([0.70, 1.12])
    pitch = 115 * size**-2.6 * draw.uniform(0.82, 1.22)
    speed = draw.uniform(0.77, 1.3) if not unusual else draw.choice([0.72, 1.4])
    names = (*VOWELS, *OTHERS, *STOPS)
    accent = {name: draw.normal(1, 0.045, 3) for name in names}
    return Voice(
        pitch, size, speed, draw.uniform(1.0, 2.0), draw.uniform(0.3, 2.5), draw.uniform(0.7, 1.5),
        draw.uniform(-0.2, 0.25), accent,
    )  # fmt: skip


def sounds_of(word: str) -> list[tuple[str, Sound]]:
    """The targets of a word: its phonemes, or one of WORDS."""
    found: list[tuple[str, Sound]] = []
    for name in WORDS.get(word, word).split():
        if name in DIPHTHONGS:
            found += [(part, VOWELS[part]) for part in DIPHTHONGS[name]]
        elif name in STOPS:
            voiced, burst, band = STOPS[name]
            place = PLACES[name]
            found.append((name, Sound(place, 0.06, voiced * 0.5)))
            breath = 0.05 if voiced else 0.3
            found.append((name, Sound(place, 0.022, voiced, breath, burst, band)))
        else:
            found.append((name, (VOWELS | OTHERS)[name]))
    return found


def random_word(draw: np.random.Generator) -> str:
    """Phonemes in syllables that no list has."""
    consonants, vowels = [*OTHERS, *STOPS], [*VOWELS, *DIPHTHONGS]
    syllables = []
    for _ in range(draw.integers(1, 5)):
        syllables += [str(draw.choice(consonants)), str(draw.choice(vowels))]
        if draw.random() < 0.4:
            syllables.append(str(draw.choice(consonants)))
    return " ".join(syllables)


def near_word(draw: np.random.Generator) -> str:
    """One that resembles the wake word: of the list, or the wake word with two to four other
    phonemes."""
    if draw.random() < 0.5:
        return str(draw.choice([*WORDS][1:]))
    phonemes = WORDS[WAKE_WORD].split()
    for i in draw.choice(len(phonemes), draw.integers(2, 5), replace=False):
        kinds = [*VOWELS, *DIPHTHONGS], [*OTHERS, *STOPS]
        same = next(kind for kind in kinds if phonemes[i] in kind)
        phonemes[i] = str(draw.choice([name for name in same if name != phonemes[i]]))
    return " ".join(phonemes)


def _smoothed(track: Floats, n: int) -> Floats:
    """A running mean over n frames of [frames, values]."""
    if n < 2:
        return track
    padded = np.pad(track, ((n // 2, n - 1 - n // 2), (0, 0)), mode="edge")
    sums = np.cumsum(np.vstack([np.zeros(track.shape[1]), padded]), axis=0)
    return np.asarray((sums[n:] - sums[:-n]) / n)


def _tracks(who: Voice, word: str, draw: np.random.Generator) -> tuple[Floats, Floats]:
    """Per frame: resonances in Hz [frames, 3]; and voice, breath, hiss, centre and width of its
    band [frames, 5]."""
    formants, sources = [], []
    for name, sound in sounds_of(word):
        seconds = sound.seconds / who.speed * draw.uniform(0.85, 1.2)
        n = max(2, round(seconds * RATE / HOP))
        shifted = np.array(sound.formants) * who.accent[name] / who.size
        loud = draw.uniform(0.8, 1.2)
        values = [sound.voice * loud, sound.breath * loud, sound.hiss * loud, *sound.band]
        formants += [shifted] * n
        sources += [values] * n
    quiet = [[0.0, 0.0, 0.0, *sources[-1][3:]]] * 6
    formants = [formants[0]] * 6 + formants + [formants[-1]] * 6
    return _smoothed(np.array(formants), 12), _smoothed(np.array(quiet + sources + quiet), 4)


def _gains(who: Voice, formants: Floats, sources: Floats) -> tuple[Floats, Floats]:
    """Of the filters of pulses and of noise [frames, bins]."""
    fourth = np.full((len(formants), 1), 3600 / who.size)
    resonances = np.hstack([formants, fourth])[:, :, None]
    widths = np.array([70, 95, 140, 220])[None, :, None] / who.sharpness
    f = BINS[None, None, :]
    shapes = resonances**2 / np.hypot(resonances**2 - f**2, f * widths)
    tract = np.prod(shapes, axis=1)
    tilt = (1 + BINS / 300) ** -who.tilt * np.minimum(BINS / 150, 1)
    voiced, breath, hiss, centre, width = (sources[:, i, None] for i in range(5))
    band = np.exp(-(((BINS - centre) / width) ** 2))
    noise = who.breath * 0.03 * tract * (breath + 0.05 * voiced) + hiss * band
    return voiced * tract * tilt * 3, noise


def _pulses(who: Voice, n: int, draw: np.random.Generator) -> Floats:
    """A pulse per period; pitch falls, and rises or falls once more with the voice's melody."""
    at = np.linspace(0, 1, n)
    contour = 1.08 - 0.16 * at + who.melody * np.sin(np.pi * (at * 1.5 + draw.uniform(-0.2, 0.2)))
    wander = np.interp(at, np.linspace(0, 1, 8), draw.normal(1, 0.015, 8))
    phase = np.cumsum(who.pitch * contour * wander) / RATE
    pulses = np.diff(np.floor(phase), prepend=0) * draw.normal(1, 0.05, n)
    return np.asarray(pulses * np.sqrt(RATE / who.pitch))


def _filtered(source: Floats, gains: Floats) -> Floats:
    """A source [n] through a filter per frame, which frames overlap by three quarters."""
    window = np.hanning(FRAME + 1)[:-1]
    starts = np.arange(len(gains)) * HOP
    spectra = np.fft.rfft(source[starts[:, None] + np.arange(FRAME)] * window, axis=1)
    frames = np.fft.irfft(spectra * gains, axis=1) * window
    y = np.zeros(len(source))
    for shift in range(FRAME // HOP):  # frames of one turn do not overlap
        part = frames[shift :: FRAME // HOP].ravel()
        y[shift * HOP : shift * HOP + len(part)] += part
    return y / 1.5


def say(who: Voice, word: str, draw: np.random.Generator) -> Floats:
    """A word, with an RMS of 1 where it is loud."""
    formants, sources = _tracks(who, word, draw)
    n = (len(formants) - 1) * HOP + FRAME
    pulses, noise = _gains(who, formants, sources)
    y = _filtered(_pulses(who, n, draw), pulses) + _filtered(draw.normal(0, 1, n), noise)
    power = np.convolve(y**2, np.full(800, 1 / 800), "same")
    return np.asarray(y / np.sqrt(power.max() + 1e-12))


# --- rooms ---------------------------------------------------------------------------------------

NOISES = ("white", "pink", "hum", "babble", "machine")


def noise(kind: str, n: int, draw: np.random.Generator) -> Floats:
    """Background with an RMS of 1."""
    f = np.fft.rfftfreq(n, 1 / RATE)
    if kind == "babble":
        y = np.zeros(n)
        for _ in range(6 + n // RATE):
            words = say(voice(draw), random_word(draw), draw)[:n]
            at = draw.integers(0, n - len(words) + 1)
            y[at : at + len(words)] += words
    elif kind in ("hum", "machine"):
        base = draw.choice([50.0, 60.0]) if kind == "hum" else draw.uniform(70, 300)
        t = np.arange(n) / RATE
        y = 0.1 * draw.normal(0, 1, n)
        for k in range(1, 12):
            y += draw.uniform(0, 1) / k * np.sin(2 * np.pi * base * k * t + draw.uniform(0, 6))
    else:
        fall = 0.0 if kind == "white" else draw.uniform(0.4, 0.9)
        shape = np.maximum(f, 40) ** -fall
        y = np.fft.irfft(np.fft.rfft(draw.normal(0, 1, n)) * shape, n)
    return np.asarray(y / np.sqrt(np.mean(y**2) + 1e-12))


def room(sound: Floats, draw: np.random.Generator) -> Floats:
    """The sound with an echo that decays, at a distance from the microphone."""
    seconds, share = draw.uniform(0.1, 0.5), draw.uniform(0, 0.5)
    n = int(seconds * RATE)
    echo = draw.normal(0, 1, n) * 10 ** (-3 * np.arange(n) / n)
    echo *= share / np.sqrt(np.sum(echo**2))
    echo[0] += 1
    size = 1 << (len(sound) + n).bit_length()
    return np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(echo, size), size)[: len(sound)]


def microphone(sound: Floats, loudness: float, draw: np.random.Generator) -> npt.NDArray[np.int16]:
    """Samples: with the response of a microphone, its own noise, and a loudness in dB below full
    scale."""
    f = np.fft.rfftfreq(len(sound), 1 / RATE)
    octaves = np.log2(np.maximum(f, 60) / 1000)
    response = 10 ** (draw.uniform(-1.2, 1.2) * octaves / 20)
    y = np.fft.irfft(np.fft.rfft(sound) * response, len(sound)) * 32768 * 10 ** (-loudness / 20)
    y += draw.normal(0, draw.uniform(1, 6), len(y))
    return np.clip(np.round(y), -32768, 32767).astype(np.int16)


@dataclass(frozen=True)
class Scene:
    """What a microphone heard. words: (word, begin, end) in samples."""

    samples: npt.NDArray[np.int16]
    words: tuple[tuple[str, int, int], ...]


def scene(
    draw: np.random.Generator,
    seconds: float,
    *,
    wake_words: float = 0.5,
    near_words: float = 0.5,
    unusual: bool = False,
    snr: tuple[float, float] = (5.0, 30.0),
) -> Scene:
    """A person speaks now and then. wake_words: their share; near_words: of the rest, the share of
    those that resemble it. snr: in dB, of loud speech and background."""
    n = int(seconds * RATE)
    who, y, words = voice(draw, unusual=unusual), np.zeros(n), []
    pause = float(draw.choice([1.0, 1.0, 5.0]))
    at = int(draw.uniform(0.1, 1 + pause) * RATE)
    while True:
        if draw.random() < wake_words:
            word = WAKE_WORD
        else:
            word = near_word(draw) if draw.random() < near_words else random_word(draw)
        spoken = say(who, word, draw) * 10 ** (draw.uniform(-4, 2) / 20)
        if at + len(spoken) > n:
            break
        y[at : at + len(spoken)] += spoken
        words.append((word, at + 6 * HOP, at + len(spoken) - 6 * HOP - FRAME // 2))
        at += len(spoken) + int(draw.uniform(0.05, 0.5 + pause) * RATE)
        if draw.random() < 0.2:
            who = voice(draw, unusual=unusual)
    background = noise(str(draw.choice(NOISES)), n, draw)
    y = room(y, draw) + background * 10 ** (-draw.uniform(*snr) / 20)
    return Scene(microphone(y, draw.uniform(12, 42), draw), tuple(words))
