"""What training sees: the pose dataset, its samples, their input spaces, and where the data come from."""
