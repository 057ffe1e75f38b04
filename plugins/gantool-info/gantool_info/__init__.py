"""InfoGAN and ACGAN: two games in which D also says what an image is of."""
