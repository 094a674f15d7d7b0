"""Starts and stops the servers of NeuroSense on one machine."""
