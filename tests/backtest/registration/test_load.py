"""A registration is accepted whole or refused with the key, what was expected and what was found."""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest

from backtest.registration.fields import hashable, time_ns
from backtest.registration.load import load_registration, whole_text
from engine.errors import MissingError, UsageError
from engine.ledger.format.canonical_json import canonical, tagged_hash
from engine.records import Kind
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND

CONFIGS = Path(__file__).parents[3] / "configs"
PREREG = CONFIGS / "prereg" / "288615" / "registration.toml"
ALL = [PREREG, CONFIGS / "demo.toml", *sorted((CONFIGS / "studies").glob("[bc]*[0-9q].toml"))]


def changed(tmp_path: Path, old: str, new: str, times: int = 1) -> Path:
    """The registered plan before its amendments, with one text replaced, as a self-contained file."""
    text = whole_text(PREREG, 0)
    assert old in text
    path = tmp_path / "plan.toml"
    path.write_text(text.replace(old, new, times))
    return path


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_configuration_loads_and_its_hash_is_that_of_its_content(path: Path):
    """config_hash = H("config", CJ(content)), and the content is inside the domain of CJ1."""
    registration = load_registration(path)
    assert registration.config_hash == tagged_hash("config", canonical(registration.content))
    assert registration.mode_allowed == ("confirmatory" if path == PREREG else "exploratory")
    assert registration.choices
    assert all(plan.t1_ns - plan.t0_ns == 90 * NS_PER_DAY for plan in registration.windows)
    assert sum(registration.params.sleeve_shares.values()) == 7


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_the_text_of_a_registration_loads_anywhere_to_the_same_hash(path: Path, tmp_path: Path):
    """Venue files are part of the text, so a run directory needs no other file."""
    registration = load_registration(path)
    copy = tmp_path / "registration.toml"
    copy.write_text(registration.text)
    assert load_registration(copy).config_hash == registration.config_hash
    assert load_registration(copy).params == registration.params


def test_the_registered_plan_holds_the_registered_numbers():
    """The table of the method: thresholds, lives, grid; the claims of the three hypotheses; the window's geometry."""
    registration = load_registration(PREREG)
    params, stats, plan = registration.params, registration.stats, registration.plan
    assert {c: r.threshold_bps for c, r in params.rules.items()} == {
        "C1": 50.0, "C2": 30.0, "C3": 30.0, "C4": 20.0, "C5": 0.0, "C6": 60.0, "C7": 15.0,
    }  # fmt: skip
    assert {c for c, r in params.rules.items() if r.life_ns != 24 * NS_PER_HOUR} == {"C5"}
    assert params.rules["C5"].life_ns == 72 * NS_PER_HOUR
    assert params.grid_ns == 60 * NS_PER_SECOND
    assert params.max_age_ns[Kind.PERP] == 5 * NS_PER_SECOND
    assert params.max_age_ns[Kind.OPTION] == 60 * NS_PER_SECOND
    assert (stats.sharpe_claim, stats.ev_claim_usd, stats.alpha, stats.level) == (
        1,
        50_000,
        Decimal("0.05"),
        Decimal("0.95"),
    )
    assert (stats.n2_draws, stats.n2_extended, stats.bootstrap_draws) == (9_999, 99_999, 9_999)
    assert (stats.floor_days, stats.floor_trades, stats.floor_blocks) == (20, 30, 6)
    assert plan.t0_ns - plan.history_ns == 90 * NS_PER_DAY
    assert (plan.folds, plan.fold_ns, plan.gap_ns) == (10, 9 * NS_PER_DAY, NS_PER_DAY)
    assert {
        venue.split(":")[0] for pair in params.underlyings["BTC"].cash_carry for venue in (pair.perp, pair.spot)
    } == {
        "binance",
        "hyperliquid",
        "deribit",
    }


def test_the_stress_loss_is_nine_thresholds():
    """Of each constraint with a threshold in bps; C5 takes the median of the others."""
    rules = load_registration(PREREG).params.rules
    assert all(rule.stress_loss_bps == 9 * rule.threshold_bps for code, rule in rules.items() if code != "C5")
    assert rules["C5"].stress_loss_bps == 270.0


def test_the_dollar_that_an_older_plan_lends_is_usdt() -> None:
    """`usdc` alone was the rate of lent dollars; own USDC has none, and a rate of `usdt` stands."""
    older = load_registration(CONFIGS / "studies" / "clock-control.toml")
    assert "usdt" not in older.content["costs"]["borrow_rate_annual"]
    assert older.params.borrow_rate == {"BTC": 0.05, "ETH": 0.05, "USDT": 0.05}
    assert load_registration(CONFIGS / "demo.toml").params.borrow_rate == older.params.borrow_rate


def test_a_plan_of_before_the_key_compares_ratios_and_keeps_its_hash() -> None:
    """The ratio was the only statistic of N2; the key stands in no text that is hashed where the plan has none."""
    older = load_registration(CONFIGS / "studies" / "clock-control.toml")

    assert older.stats.n2_statistic == "sharpe"
    assert "n2_statistic" not in older.content["statistics"]


def test_every_plan_with_the_key_compares_means_as_the_rule_gave() -> None:
    """Amendment 0017: the mean of a day is the only statistic that qualified before the larger p-value."""
    plans = [path for path in CONFIGS.rglob("*.toml") if "\nn2_draws = " in path.read_text(encoding="utf-8")]
    found = {path.name: load_registration(path).stats.n2_statistic for path in plans}

    assert found.pop("clock-control.toml") == "sharpe"
    assert set(found.values()) == {"mean"}
    assert len(found) == 9


def test_the_demonstration_s_numbers_are_the_registered_ones_but_for_the_grid():
    """What a reader of the demo may carry over to the plan."""
    demo, plan = load_registration(CONFIGS / "demo.toml"), load_registration(PREREG)
    for key in ("constraints", "exits", "costs", "capital", "fitting", "venues"):
        assert demo.content[key] == plan.content[key], key
    different = {k for k, v in demo.content["statistics"].items() if plan.content["statistics"][k] != v}
    assert not different


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('fold_d = "9"\n', "", r"split\.fold_d: expected this key, was missing"),
        (
            "persistence = 2",
            "persistance = 2\npersistence = 2",
            r"grid\.persistance: unknown key, allowed here: step_s, latency_ms",
        ),
        (
            'capital_rate_annual = "0.05"',
            "capital_rate_annual = 0.05",
            r"costs\.capital_rate_annual: expected text in quotes, was 0\.05",
        ),
        (
            'target_notional_usd = "25000"',
            'target_notional_usd = "25_000"',
            r"target_notional_usd: expected a decimal in quotes.*'25_000'",
        ),
        (
            'depth_share = "0.5"',
            'depth_share = "1.5"',
            r"depth_share: expected a decimal in quotes between 0 and 1, was '1\.5'",
        ),
        ('depth_share = "0.5"', 'depth_share = "0.50"', r"trailing zeros, was '0\.50'"),
        (
            "bootstrap_draws = 9999",
            "bootstrap_draws = 9999.0",
            r"bootstrap_draws: expected a whole number without quotes",
        ),
        (
            "n2_draws = 9999",
            'n2_statistic = "median"\nn2_draws = 9999',
            r"statistics\.n2_statistic: .*sharpe.*mean.*larger.*was 'median'",
        ),
        (
            'end = "2027-03-01T00:00:00Z"',
            'end = "2027-03-02T00:00:00Z"',
            r"windows\[0\]\.end: expected start \+ folds x fold_d",
        ),
        ('end = "2027-03-01T00:00:00Z"', 'end = "1.3.2027"', r"end: expected a time in UTC such as"),
        (
            'end = "2027-03-01T00:00:00Z"',
            'end = "recording_start + 0 d"',
            r"end: expected a time in UTC such as .*, or one in days of the record such as recording_start \+ 90 d",
        ),
        (
            'end = "2027-03-01T00:00:00Z"',
            'end = "recording_start + 180 d"',
            r"split\.windows: expected dates everywhere or recording_start everywhere, was both",
        ),
        (
            'kind = "path"',
            'kind = "guess"',
            r"data\.kind: expected one of 'sources', 'synthetic' or 'path', was 'guess'",
        ),
        (
            'fx = "binance:USDCUSDT"',
            'fx = "binance:USDCUSDT-PERP"',
            r"triangle\.fx: expected the spot pair USDC/USDT, was the perp binance:USDCUSDT-PERP",
        ),
        (
            'fx = "binance:USDCUSDT"  #',
            'fx = "binance:USDCUSDT-PERP"  #',
            r"data\.fx: expected the spot pair USDC/USDT, was the perp binance:USDCUSDT-PERP",
        ),
        ("synthetic = false", "synthetic = true", r"synthetic: expected False with data\.kind path"),
        ('name = "hyperliquid"', 'name = "elsewhere"', r"venues: expected the fees of hyperliquid"),
        ('btc = "0.05", ', "", r"borrow_rate_annual: expected a rate of btc"),
        ('cap_share = "0.125"', "", r"deribit\]\.fees\[option\]: cap_share"),
        ('default_z = "2"', 'default_z = "2.2"', r"fitting\.default_z: expected one of z_grid, was 2\.2"),
        ("z_window_d = 60", "z_window_d = 24", r"curve\.z_window_d: expected at least 25 days, 5 a tenor, .* was 24"),
        ('schema = "registration/1"', 'schema = "registration/2"', r"schema: expected one of 'registration/1'"),
    ],
)
def test_what_cannot_be_accepted_names_the_key_what_was_expected_and_what_was_found(tmp_path, old, new, says):
    """Exit code 2, with the file's name in front."""
    path = changed(tmp_path, old, new)
    with pytest.raises(UsageError, match=says) as error:
        load_registration(path)
    assert str(path) in str(error.value)


def test_no_key_of_the_plan_has_a_default(tmp_path):
    """Every line `key = value` outside the free tables is taken away in turn, and every time the plan is refused."""
    text = load_registration(PREREG).text
    tree = tomllib.loads(text)
    keys = [
        (section, key) for section in ("grid", "exits", "capital", "fitting", "statistics") for key in tree[section]
    ]
    path = tmp_path / "plan.toml"
    for section, key in keys:
        body = re.search(rf"(?ms)^\[{section}\].*?(?=^\[)", text).group()
        path.write_text(text.replace(body, re.sub(rf"(?m)^{key} = .*\n", "", body, count=1)))
        with pytest.raises(UsageError, match="was missing"):
            load_registration(path)


def test_a_file_that_is_not_there_and_a_file_that_is_no_toml_are_told_apart(tmp_path):
    """Exit code 3 and exit code 2."""
    with pytest.raises(MissingError, match=r"nowhere\.toml"):
        load_registration(tmp_path / "nowhere.toml")
    (tmp_path / "torn.toml").write_text("[split")
    with pytest.raises(UsageError, match="expected TOML"):
        load_registration(tmp_path / "torn.toml")


def amended(tmp_path: Path, outcome_known: str, before: str, parent: bytes | None = None) -> Path:
    plan = tmp_path / "registration.toml"
    plan.write_text(load_registration(PREREG).text.split("[[venues]]")[0])
    for venue in ("binance", "deribit", "hyperliquid"):
        (tmp_path / f"{venue}.toml").write_text((CONFIGS / "venues" / f"{venue}.toml").read_text())
    plan.write_text(plan.read_text().replace("../../venues/", ""))
    (tmp_path / "amendments").mkdir()
    digest = sha256(parent or plan.read_bytes()).hexdigest()
    (tmp_path / "amendments" / "0001.toml").write_text(
        f"""[[amendments]]
name = "0001"
at = "2026-11-30T12:00:00Z"
reason = "a venue lowered its limits"
outcome_known = {outcome_known}
affects = ["H1", "H2"]
parent_sha256 = "{digest}"

[[amendments.changes]]
key = "capital.target_notional_usd"
before = "{before}"
after = "20000"
"""
    )
    return plan


def test_an_amendment_changes_one_number_and_the_hash_and_travels_with_the_text(tmp_path):
    """The plan's own text is untouched; before an outcome is known it stays confirmatory."""
    plan = load_registration(amended(tmp_path, "false", "25000"))
    assert plan.params.target_notional_usd == 20_000.0
    assert plan.amendments == ("0001",)
    assert plan.mode_allowed == "confirmatory"
    assert plan.config_hash != load_registration(PREREG).config_hash
    copy = tmp_path / "copy.toml"
    copy.write_text(plan.text)
    assert load_registration(copy).config_hash == plan.config_hash


def test_an_amendment_with_an_outcome_known_makes_the_study_exploratory(tmp_path):
    """R12.4: for ever."""
    assert load_registration(amended(tmp_path, "true", "25000")).mode_allowed == "exploratory"


@pytest.mark.parametrize(
    ("key", "before", "after"),
    [
        ("choices[reference price].value", '"Deribit\'s index of the coin"', '"another"'),
        ("split.windows[0].end", '"2027-03-01T00:00:00Z"', '"2027-03-01T00:00:00Z"'),
        ("underlyings[BTC].curve[0].z_window_d", "60", "50"),
    ],
)
def test_a_change_reaches_into_an_array_of_tables(tmp_path: Path, key: str, before: str, after: str) -> None:
    """By item or name, else by number: one entry is amended without writing the others again."""
    plan = amended(tmp_path, "false", "25000")
    file = tmp_path / "amendments" / "0001.toml"
    text = file.read_text().replace("capital.target_notional_usd", key)
    file.write_text(text.replace('"25000"', before).replace('"20000"', after))

    content = load_registration(plan).content

    last = key.rpartition(".")[2]
    entries = [*content["choices"], *content["split"]["windows"], content["underlyings"][0]["curve"][0]]
    assert [str(entry[last]) for entry in entries if str(entry.get(last)) == after.strip('"')] == [after.strip('"')]


@pytest.mark.parametrize(
    "key",
    ["choices[no such choice].value", "split.windows[1].end", "split.windows[x].end", "choices.value", "a[", "a]b.c",
     "split.windows[00000].end", "choices[0].value", ".", "split..folds"],
)  # fmt: skip
def test_a_change_of_no_entry_is_refused(tmp_path: Path, key: str) -> None:
    """A name that no entry has, a number beyond the last, and what is no key."""
    plan = amended(tmp_path, "false", "25000")
    file = tmp_path / "amendments" / "0001.toml"
    file.write_text(file.read_text().replace("capital.target_notional_usd", key))

    with pytest.raises(UsageError, match=r"changes\[0\]\.key: expected a key of the registration"):
        load_registration(plan)


def test_an_amendment_must_know_its_parent_and_the_value_before(tmp_path):
    """Slipped in, or written against another plan: refused."""
    with pytest.raises(UsageError, match=r"amendments\[0\]\.changes\[0\]\.before: expected '25000', .*, was '30000'"):
        load_registration(amended(tmp_path, "false", "30000"))
    (tmp_path / "amendments" / "0001.toml").write_text('[[amendments]]\nparent_sha256 = "00"\n')
    with pytest.raises(UsageError, match="the file before it"):
        load_registration(tmp_path / "registration.toml")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("outcome_known = false", 'outcome_known = "no"', r"outcome_known: expected true or false, was 'no'"),
        ("outcome_known = false", "known = false", r"outcome_known: expected this key, was missing"),
        ('key = "capital.', 'key = "capitals.', r"changes\[0\]\.key: expected a key of the registration"),
        ("after = ", "afterwards = ", r"changes\[0\]\.after: expected this key, was missing"),
    ],
)
def test_an_amendment_of_another_form_names_the_file_and_each_key(tmp_path, old, new, named):
    """A key that is missing, unknown or of another type is refused before anything is changed."""
    plan = amended(tmp_path, "false", "25000")
    file = tmp_path / "amendments" / "0001.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))

    with pytest.raises(UsageError, match=rf"toml: .*amendments\[0\]\.{named}"):
        load_registration(plan)


def test_tables_with_other_keys_are_hashed_as_sorted_pairs():
    """Coins and codes are no keys of CJ1; order in the file does not matter."""
    assert hashable({"BTC": {"a": 1}, "AVAX": 2}) == [
        {"key": "AVAX", "value": 2},
        {"key": "BTC", "value": {"a": 1}},
    ]


def test_a_time_is_nanoseconds_since_1970():
    """2026-01-15T00:00:00Z is 1768435200 s."""
    assert time_ns("2026-01-15T00:00:00Z") == 1_768_435_200 * NS_PER_SECOND


def test_a_relative_time_is_nanoseconds_since_the_start_of_the_recording():
    """Day 1 begins at 0."""
    assert [time_ns(f"recording_start{rest}") for rest in ("", " + 1 d", " + 90 d")] == [0, NS_PER_DAY, 90 * NS_PER_DAY]


def test_the_first_amendment_takes_the_dates_out_of_the_registered_plan():
    """L0.1: history from the start of the recording, the window ninety days later; nothing else but its text moves."""
    plan, before = load_registration(PREREG), tomllib.loads(PREREG.read_text(encoding="utf-8"))

    assert (plan.dated, plan.amendments[:1], plan.mode_allowed) == (False, ("0001",), "confirmatory")
    assert (plan.plan.history_ns, plan.plan.t0_ns, plan.plan.t1_ns) == (0, 90 * NS_PER_DAY, 180 * NS_PER_DAY)
    (first,) = [amendment for amendment in plan.content["amendments"] if amendment["name"] == "0001"]
    assert {re.split(r"[.\[]", change["key"])[0] for change in first["changes"]} == {"split", "choices", "power"}
    assert "2026-12" not in str(plan.content["choices"])
    assert before["split"]["windows"][0]["start"] == "2026-12-01T00:00:00Z"


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_instrument_of_a_coin_is_of_that_coin(path: Path):
    """A pair of ETH under BTC would be a violation of everything: symbols begin with their coin."""
    for coin, market in load_registration(path).params.underlyings.items():
        named = {market.reference, *(name for pair in market.cash_carry for name in (pair.perp, pair.spot))}
        named |= {name for three in market.triangle for name in (three.perp_usdc, three.perp_usdt)}
        if market.four_corner:
            named |= {market.four_corner.dex_perp, market.four_corner.cex_perp, market.four_corner.spot}
        if market.curve:
            named.add(market.curve.perp)
        assert all(name.split(":")[1].startswith(coin) for name in named), (coin, named)
