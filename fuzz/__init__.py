"""Fuzzing: `make fuzz [SECONDS=60] [TARGET=NAME]`, see docs/decisions/0008-fuzzing.md.

Each target is a function of octets that raises when something is wrong, so that a
finding is a line of octets: fuzz/corpus/NAME.hex, which tests/fuzz runs too.
"""
