from kexp.data import load
from kexp.data.sources.text_pairs import read_addition, read_pronunciations


def whole(source):
    return dict(zip(*source.parts["train"], strict=True))


def test_every_sum_is_right_and_has_numbers_of_up_to_three_digits():
    pairs = whole(read_addition())
    assert len(pairs) == 50_000
    for question, answer in pairs.items():
        first, second = question.split("+")
        assert int(first) + int(second) == int(answer)
        assert max(int(first), int(second)) < 1000
        assert f"{int(first)}+{int(second)}" == question


def test_no_question_stands_there_the_other_way_round():
    questions = whole(read_addition())
    assert len({frozenset(question.split("+")) for question in questions}) == len(questions)


def test_the_sums_are_the_same_at_every_call():
    pairs = list(whole(read_addition()).items())
    assert pairs == list(whole(read_addition()).items())
    assert (pairs[0], pairs[-1]) == (("4+23", "27"), ("253+518", "771"))


def test_a_word_stands_there_once_with_its_phonemes():
    words, phonemes = read_pronunciations().parts["train"]
    assert len(words) == len(set(words)) == 20_000
    assert len({phoneme for word in phonemes for phoneme in word.split(" ")}) == 39
    assert set("".join(words)) == set("abcdefghijklmnopqrstuvwxyz")


def test_no_word_and_no_sum_is_in_two_parts():
    for name in ("addition", "pronunciations"):
        data = load(name)
        parts = [set(part.inputs) for part in (data.train, data.validation, data.test)]
        assert len(set.union(*parts)) == sum(map(len, parts))
        assert (data.spec.task, data.spec.kind, data.spec.outputs) == ("text", "text", 0)
        assert isinstance(data.train.targets[0], str)
