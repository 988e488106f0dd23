"""What the checks about X11 share: asking servers, finding cookies, knowing who wants X."""
