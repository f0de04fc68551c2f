"""The currencies Stripe takes, in its lower case, and what amounts they allow."""

from __future__ import annotations

from connectors.stripe.sandbox.amounts import step
from connectors.stripe.sandbox.problems import ApiError

_CODES = frozenset(
    "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp "
    "cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr "
    "isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn "
    "myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle "
    "sos srd szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw".split()
)


def currency_of(text: str, *, param: str = "currency") -> str:
    """Give a currency in lower case; an unknown one is refused."""
    currency = text.lower()
    if currency not in _CODES:
        raise ApiError.invalid(f"Invalid currency: {text[:10]}.", param=param)
    return currency


def check_amount(amount: int, currency: str, *, param: str = "amount") -> int:
    """Refuse an amount the currency does not allow: the last digit of KWD, the last two of ISK."""
    unit = step(currency)
    if amount % unit:
        if unit == 100:
            raise ApiError.invalid(
                f"Invalid amount: {currency} has no decimals, so the amount must be a multiple of 100.",
                param=param,
                code="invalid_charge_amount_no_decimal_compatible",
            )
        raise ApiError.invalid(
            f"Invalid amount: {currency} must be rounded to the nearest ten of its minor unit.", param=param
        )
    if abs(amount) > 999_999_999_999:
        raise ApiError.invalid("Amount is too large.", param=param, code="amount_too_large")
    return amount
