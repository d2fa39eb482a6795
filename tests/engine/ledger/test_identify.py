"""A signal's name: the same for the same reading, whoever asks and however the table is coded.  [audit 3.2, 3.3]"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.constraints.codes import CODES
from engine.ledger.format.ids import provenance_hash, signal_id
from engine.ledger.identify import BY_CODE, identify_by_provenance, leg_roles, provenance_of
from engine.positions.base import Signal
from engine.records import Instruments
from tests.helpers.small_run import Tiny


def reversed_table(table: Instruments) -> Instruments:
    """The same instruments under codes counted from the other end."""
    return Instruments(
        **{
            name: values[::-1].copy() if isinstance(values := getattr(table, name), np.ndarray) else values[::-1]
            for name in table.__slots__
            if isinstance(getattr(table, name), (tuple, np.ndarray))
        }
    )


def recoded(signal: Signal, size: int) -> Signal:
    legs = tuple(replace(leg, code=size - 1 - leg.code) for leg in signal.legs)
    return replace(signal, legs=legs, short=size - 1 - signal.short)


def test_ids_are_those_the_run_wrote(tiny: Tiny) -> None:
    """Asked again for each signal, without a view, the function returns the id and hash the replay gave."""
    identify = identify_by_provenance(tiny.run.instruments, tiny.registration.params, tiny.registration.judging_hash)
    for signal in tiny.run.signals:
        assert identify(replace(signal, signal_id="", provenance_hash=""), None) == (
            signal.signal_id,
            signal.provenance_hash,
        )
        digest = provenance_hash(
            provenance_of(signal, tiny.run.instruments, tiny.registration.params, tiny.registration.judging_hash)
        )
        assert (signal_id(digest), digest) == (signal.signal_id, signal.provenance_hash)


def test_codes_of_instruments_do_not_enter_the_name(tiny: Tiny) -> None:
    """Another data set that lists the same instruments in another order names the signal alike."""
    table = reversed_table(tiny.run.instruments)
    identify = identify_by_provenance(table, tiny.registration.params, tiny.registration.judging_hash)
    for signal in tiny.run.signals:
        assert identify(recoded(signal, len(table.name)), None)[0] == signal.signal_id


def test_another_configuration_names_the_signal_anew(tiny: Tiny) -> None:
    """The configuration's hash is part of what the engine was told."""
    identify = identify_by_provenance(tiny.run.instruments, tiny.registration.params, "0" * 64)

    assert identify(tiny.run.signals[0], None)[0] != tiny.run.signals[0].signal_id


@pytest.mark.parametrize("code", CODES)
def test_every_leg_has_one_role(tiny: Tiny, code: str) -> None:
    """As many roles as legs, none twice, for every constraint that traded."""
    everything = [trade.position.signal for trade in (*tiny.run.history, *tiny.run.trades)]
    for signal in everything:
        if signal.constraint == code:
            roles = leg_roles(BY_CODE[code], signal, tiny.run.instruments, tiny.registration.params)
            assert len(roles) == len(set(roles)) == len(signal.legs)
