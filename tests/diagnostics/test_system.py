from diagnostics.system import ToolOutput


def test_tool_output():
    assert ToolOutput(("x",), "ran", 0, b"\xffa").text == "\ufffda"
    assert ToolOutput(("x",), "ran", 0).ok
    assert not ToolOutput(("x",), "ran", 1).ok
    assert not ToolOutput(("x",), "missing").ok
