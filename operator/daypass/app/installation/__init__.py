"""What ``daypass setup`` makes and keeps fresh: keys, certificates, secret paths, webhook configurations."""
