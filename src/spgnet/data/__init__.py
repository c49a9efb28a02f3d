"""What training sees: the pose dataset, its samples, domain randomisation, and where the data come from."""
