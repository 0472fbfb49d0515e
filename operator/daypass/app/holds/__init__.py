"""What permits come to after their approval: held pods let go, uses settled, pods evicted, requests closed."""
