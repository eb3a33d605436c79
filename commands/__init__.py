"""What people can say to Easel and what they see: grammar, commands, Block Kit views, sentences. Pure, no I/O."""
