"""Which kind of tunnel fits, why, and its configuration files: values in, values out.

Nothing here touches the machine: the command line asks, writes, and has the files checked.
"""
