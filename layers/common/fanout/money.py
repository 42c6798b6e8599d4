"""Money as text. Everywhere else it is an integer in the currency's minor unit: cents, or yen."""

# Currencies whose minor unit is not a hundredth (ISO 4217).
_WITHOUT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"


def money(amount: int, currency: str, decimal_sign: str) -> str:
    """Return an amount of minor units as text: 1234 EUR cents are `12.34 EUR`, 1234 yen `1234 JPY`."""
    if currency in _WITHOUT:
        return f"{amount} {currency}"
    digits = 3 if currency in _THOUSANDTHS else 2
    whole, rest = divmod(amount, 10**digits)
    return f"{whole}{decimal_sign}{rest:0{digits}} {currency}"
