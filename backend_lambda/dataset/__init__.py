"""Pictures that people send to train with: what they may be, what is kept of them. Needs Pillow; imported when used."""
