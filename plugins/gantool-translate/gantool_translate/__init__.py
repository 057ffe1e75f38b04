"""pix2pix, CycleGAN, StarGAN and BicycleGAN: images made of images, from pairs, from two sets, from many."""
