"""pix2pix, CycleGAN, StarGAN and BicycleGAN: pictures made of pictures, from pairs, from two sets, from many."""
