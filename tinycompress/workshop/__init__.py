"""What lecture, course and bench share: style, the machine, executors, intervals, files."""
