from diagnostics.ssh import Login, RemoteOutput


def test_remote_output():
    ran = RemoteOutput(command="x", outcome="ran", status=0, stdout=b"a\xff")
    assert ran.ok
    assert ran.text == "a\ufffd"
    assert not RemoteOutput(command="x", outcome="ran", status=None).ok
    assert not RemoteOutput(command="x", outcome="no-login").ok


def test_login():
    assert Login(stage="done").done
    assert not Login(stage="auth").done
