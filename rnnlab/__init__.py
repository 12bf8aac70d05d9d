"""RNN Lab: watch a recurrent network learn to read handwritten digits, one pixel row after the other."""
