"""Figures, pictures and ears: metrics, other codecs at their actual rates, reports, listening tests.

    from recodec.evaluation import Clip, parse_codecs, run

Everything here works on NumPy arrays; torch is imported only by the codecs that need it.
"""
