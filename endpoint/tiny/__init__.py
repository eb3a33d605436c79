"""The miniature Stable Diffusion: a world of flat drawings, and the code that draws, trains and judges it."""
