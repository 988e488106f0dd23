"""Getting to a gateway and logging in: TCP, key exchange, host key, authentication.

With `netkit.engine.gateway` the only importer of paramiko.
"""
