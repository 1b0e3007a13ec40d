"""What proposes the trials of a sweep: one file per algorithm, all of them on KerasTuner's oracles."""
