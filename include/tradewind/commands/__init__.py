"""The commands of `python -m tradewind`, a module each.

`__main__` imports a command's module when that command is called, so that help and version wait for none of them.
"""
