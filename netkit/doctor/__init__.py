"""What the doctor asks of SSH, answered with netkit's engine: `diagnostics.ssh.Ssh`.

Asks and reports; it judges nothing.  Only the command line imports it.
"""
