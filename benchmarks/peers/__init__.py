"""The same service built the usual ways, to be measured beside ours on the same machine."""
