"""pix2pix, CycleGAN and StarGAN: pictures made of pictures, from pairs, from two sets, from many."""
