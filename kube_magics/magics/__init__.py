"""The notebook door: parse the line, delegate, show. With `widgets` the only code that knows IPython.

A magic is about fifteen lines; loading the extension only registers. May import everything below.
"""
