"""The mathematics of latent diffusion on torch tensors."""
