"""DeepInterpolation for SpikeInterface, and a measure of what it does to spike sorting."""
