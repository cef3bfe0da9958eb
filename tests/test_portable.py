"""Names of files that arrive whole on every system."""

import pytest

from curate.portable import MAX_NAME_BYTES, MIN_NAME, portable, same, why_not

PORTABLE = {  # name -> what it leaves as, on any system; None for as it is
    "a.png": None,
    "ü 猫.png": None,
    "comet.png": None,
    "a.b.png": None,
    "12:30?.png": "12_30_.png",
    'a"b|c<d>e*f\\g\n.png': "a_b_c_d_e_f_g_.png",
    "CON": "_CON",
    "aux.txt": "_aux.txt",
    "nul.tar.gz": "_nul.tar.gz",
    "lpt¹.png": "_lpt¹.png",
    "con .png": "_con .png",
    "St.": "St_",
    "a .. ": "a_",
}


@pytest.mark.parametrize("name", PORTABLE)
def test_names_that_every_system_takes(name: str) -> None:
    becomes = PORTABLE[name]
    assert portable(name) == (becomes or name)
    assert bool(why_not(name)) == (becomes is not None)
    assert why_not(portable(name)) == ""


@pytest.mark.parametrize("letter", ["x", "ü", "猫", "😀"])
@pytest.mark.parametrize("room", [0, 50, 200])
def test_long_names_are_cut_and_stay_two(letter: str, room: int) -> None:
    one, two = (portable(f"{letter * 300}{end}.jpeg", room) for end in "12")
    assert one != two
    assert all(name.startswith(letter * 3) and name.endswith(".jpeg") and not why_not(name) for name in (one, two))
    assert max(len(one), len(two)) <= max(room, MIN_NAME)
    assert max(len(one.encode()), len(two.encode())) <= MAX_NAME_BYTES


@pytest.mark.parametrize(
    ("one", "two", "are_one"),
    [
        ("cat/a.png", "Cat/A.PNG", True),
        ("caf\u00e9", "cafe\u0301", True),
        ("\u00c9", "e\u0301", True),
        ("STRASSE", "straße", True),
        ("cafe", "caf\u00e9", False),
        ("a.png", "b.png", False),
    ],
)
def test_names_that_are_one_on_macos(one: str, two: str, are_one: bool) -> None:
    assert (same(one) == same(two)) == are_one
