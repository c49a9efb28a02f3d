"""The systems that SPGNet is compared with, under the same data, samples and schedule."""
